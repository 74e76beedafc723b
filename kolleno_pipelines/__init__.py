"""Accounts receivable in one place and in agreement: a Dagster code location and the `kolleno` command.

This file holds nothing but this sentence: importing the package reads no environment, network or clock.
"""
