"""Folders of an SFTP server or of this machine: listing, reading, moving, writing.

Which files are looked for there, and what they mean, is their connector's.
"""
