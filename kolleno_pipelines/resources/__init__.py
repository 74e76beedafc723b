"""Dagster configuration of what assets and sensors share. No work is done here."""
