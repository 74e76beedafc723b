"""Reasons to skip that CI may have too. A skip for any other reason fails there."""

SCHEMAS_ABSENT = "The vendors' schemas are not here"
