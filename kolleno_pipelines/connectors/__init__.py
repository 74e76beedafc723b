"""One folder per system that this project talks to, with the same file names in each.

What the numbers mean (rules) and where they are kept (storage) does not belong here.
"""
