"""Xero: the vendor's API and what its objects mean in our model. See README.md beside this file."""
