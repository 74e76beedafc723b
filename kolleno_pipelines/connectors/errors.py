"""The errors that every connector raises, sorted by who must act; each carries a sentence for a person.

How a system's own codes map to them does not belong here: each connector keeps that table in its README.

    ConnectorError
    |-- Retryable      nobody: it may work by itself later (network, server away, rate limit)
    |   `-- Changed    nobody: the source changed while it was read; look at it again, then read the new state
    |-- Permanent      the sender: this one record, file or request is wrong; record it and go on with the rest
    `-- NeedsHuman     the operator: credentials, permission or configuration; stop this connection and tell them

A client retries `Retryable` inside a bound of its own; what leaves the client has used that bound up.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Something that a system refused or could not do.

    message: what happened, where, and what to do next, in sentences, without any secret.
    connection: the name of the connection in connections.yaml.
    retry_after: seconds that the system asked us to wait, None where it said nothing.
    """

    def __init__(self, message: str, connection: str, retry_after: float | None = None) -> None:
        super().__init__(message, connection, retry_after)
        self.message = message
        self.connection = connection
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.connection}: {self.message}"


class Retryable(ConnectorError):  # noqa: N818 - the name says who must act
    """It may work by itself later; the same call may be made again."""


class Changed(Retryable):
    """What was read is no longer what was listed: look again. Repeating the same call cannot help."""


class Permanent(ConnectorError):  # noqa: N818 - see Retryable
    """This record, file or request will fail however often it is tried; the others are not affected."""


class NeedsHuman(ConnectorError):  # noqa: N818 - see Retryable
    """Credentials, permission or configuration: nothing of this connection works until a person acts."""
