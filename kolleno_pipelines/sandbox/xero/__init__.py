"""A simulated Xero: the book of one organisation and its accounting API over HTTP. Neither rules nor storage."""
