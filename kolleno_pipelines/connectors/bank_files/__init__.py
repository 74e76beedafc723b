"""Bank statements in ISO 20022 files, in a folder on an SFTP server or of this machine."""
