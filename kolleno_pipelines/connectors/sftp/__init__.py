"""The CSV drop: seven files at a time in a folder on an SFTP server, or in a local folder.

What happens to the rows after they were read and validated does not belong here.
"""
