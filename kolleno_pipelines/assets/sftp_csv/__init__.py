"""Assets of stage sftp_csv: the seven CSV tables, typed and validated. No fold here."""
