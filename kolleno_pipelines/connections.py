"""connections.yaml as typed connections: which systems are read, and how.

The fields of each system lie beside this module; opening a connection belongs to neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from kolleno_pipelines import marked_yaml
from kolleno_pipelines.api_connections import (
    ApiConnection,
    AppConnection,
    QuickBooksConnection,
    StripeConnection,
    XeroConnection,
)
from kolleno_pipelines.bank_connection import BankFilesConnection
from kolleno_pipelines.connection_models import Connection
from kolleno_pipelines.connection_values import ConnectionsError, Reference, resolve
from kolleno_pipelines.sftp_connection import SftpConnection

__all__ = [
    "AnyConnection",
    "ApiConnection",
    "AppConnection",
    "BankFilesConnection",
    "Connection",
    "Connections",
    "ConnectionsError",
    "DocumentConnections",
    "LedgerConnection",
    "QuickBooksConnection",
    "Reference",
    "ServingConnection",
    "SftpConnection",
    "StripeConnection",
    "XeroConnection",
    "api_connections",
    "bank_connections",
    "document_connections",
    "ledger_of",
    "ledger_served",
    "load_connections",
    "provider_connections",
    "resolve",
    "serving_connections",
]

#: They carry documents.
LedgerConnection: TypeAlias = SftpConnection | QuickBooksConnection | XeroConnection
#: They carry none, and say which ledger they serve.
ServingConnection: TypeAlias = StripeConnection | BankFilesConnection
AnyConnection: TypeAlias = LedgerConnection | ServingConnection
Connections: TypeAlias = dict[str, AnyConnection]
DocumentConnections: TypeAlias = dict[str, LedgerConnection]

SYSTEMS: dict[str, type[AnyConnection]] = {
    "sftp": SftpConnection,
    "quickbooks": QuickBooksConnection,
    "xero": XeroConnection,
    "stripe": StripeConnection,
    "bank_files": BankFilesConnection,
}


def ledger_of(connections: Mapping[str, AnyConnection]) -> LedgerConnection:
    """Return the connection whose numbers count: the one with that role, or the only one. ConnectionsError: none is."""
    documents = document_connections(connections)
    for connection in documents.values():
        if connection.role == "ledger" or len(documents) == 1:
            return connection
    raise ConnectionsError("connections.yaml holds no connection: add one, connections.example.yaml shows how.")


def api_connections(connections: Connections) -> list[ApiConnection]:
    """Return the connections that are read by extracts: vendors' accounts, banks' files; in the file's order."""
    return [connection for connection in connections.values() if isinstance(connection, ApiConnection)]


def document_connections(connections: Mapping[str, AnyConnection]) -> DocumentConnections:
    """Return the connections that carry documents: the ledger and its mirrors."""
    return {name: one for name, one in connections.items() if not isinstance(one, ServingConnection)}


def serving_connections(connections: Mapping[str, AnyConnection]) -> dict[str, ServingConnection]:
    """Return the connections that serve a ledger: to payment providers, and to banks."""
    return {name: one for name, one in connections.items() if isinstance(one, ServingConnection)}


def provider_connections(connections: Mapping[str, AnyConnection]) -> dict[str, StripeConnection]:
    """Return the connections to payment providers."""
    return {name: one for name, one in connections.items() if isinstance(one, StripeConnection)}


def bank_connections(connections: Mapping[str, AnyConnection]) -> dict[str, BankFilesConnection]:
    """Return the connections to banks."""
    return {name: one for name, one in connections.items() if isinstance(one, BankFilesConnection)}


def ledger_served(connections: Mapping[str, AnyConnection], name: str) -> str | None:
    """Return the ledger that a payment provider's or a bank's connection serves; None for another's."""
    serving = serving_connections(connections).get(name)
    return serving.ledger if serving is not None else None


def load_connections(path: str | Path) -> Connections:
    """Read connections.yaml: name -> connection, in the file's order. Secrets stay `${VAR}` (see `resolve`).

    Raises ConnectionsError: one sentence with file and line.
    """
    path = Path(path)
    document = _document(path)
    written = document.value
    if not isinstance(written, dict) or set(written) != {"connections"} or not isinstance(written["connections"], dict):
        unknown = [key for key in written if key != "connections"] if isinstance(written, dict) else []
        problem = f"unknown key {unknown[0]}" if unknown else "no connections are written in it"
        line = document.line((unknown[0],)) if unknown else 1
        raise ConnectionsError(f"{path} line {line}: {problem}; it holds one key, connections, with a name for each.")
    connections: Connections = {}
    for name, fields in written["connections"].items():
        connections[name] = _connection(path, document, name, fields)
    _refuse_second_sftp(path, document, connections)
    _refuse_ledgers(path, document, connections)
    return connections | _with_ledgers(path, document, connections)


def _document(path: Path) -> marked_yaml.MarkedYaml:
    try:
        return marked_yaml.read(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConnectionsError(
            f"{path} does not exist: copy connections.example.yaml there, or name yours in KOLLENO_CONNECTIONS."
        ) from None
    except UnicodeDecodeError:
        raise ConnectionsError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise ConnectionsError(f"{path} cannot be read: {error.strerror}.") from None
    except marked_yaml.MarkedYamlError as error:
        raise ConnectionsError(f"{path} line {error.line}: {error}.") from None


def _connection(path: Path, document: marked_yaml.MarkedYaml, name: str, fields: object) -> AnyConnection:
    at = ("connections", name)

    def fault(line: int, problem: str) -> ConnectionsError:
        return ConnectionsError(f"{path} line {line}: connection {name}: {problem}.")

    if not isinstance(fields, dict):
        raise fault(document.line(at), "its settings (system, location, ...) are missing")
    system = fields.get("system")
    if not isinstance(system, str) or system not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise fault(document.line((*at, "system")), f"system is missing or unknown; known: {known}")
    if "name" in fields:
        raise fault(document.line((*at, "name")), "unknown key name; the name is the key above")
    values = {
        key: _referring(value, f"{key} of connection {name} ({path} line {document.line((*at, key))})")
        for key, value in fields.items()
    }
    try:
        connection = SYSTEMS[system].model_validate({**values, "name": name})
    except ValidationError as error:
        line, problem = _first_problem(error, SYSTEMS[system], document, at)
        raise fault(line, problem) from None
    beside = {
        key: path.parent.absolute() / value
        for key in ("key_file", "known_hosts")
        if isinstance(value := getattr(connection, key, None), Path)
    }
    return connection.model_copy(update=beside)


def _referring(value: object, where: str) -> object:
    if isinstance(value, str) and value.startswith("${"):
        try:
            return Reference(value, where)
        except ValueError:
            return value
    return value


def _first_problem(
    error: ValidationError, model: type[Connection], document: marked_yaml.MarkedYaml, at: marked_yaml.Path
) -> tuple[int, str]:
    """The problem that stands first in the file, as (line, words without the value where it may be secret)."""
    problems = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = tuple(one["loc"])
        line = document.line((*at, *place))
        key = ".".join(str(part) for part in place)
        reason = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            near = get_close_matches(str(place[-1]), model.model_fields, n=1)
            reason = f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "")
        elif one["type"] == "missing":
            reason = f"{key} is missing"
        elif key:
            reason = f"{key}: {reason.replace('Input should', 'it should')}"
        problems.append((line, reason.rstrip(".")))
    return min(problems, key=lambda problem: problem[0])


def _refuse_second_sftp(path: Path, document: marked_yaml.MarkedYaml, connections: Connections) -> None:
    sftp = [name for name, connection in connections.items() if connection.system == "sftp"]
    if len(sftp) > 1:
        line = document.line(("connections", sftp[1]))
        raise ConnectionsError(
            f"{path} line {line}: connection {sftp[1]}: a second sftp connection is not possible yet, "
            f"{sftp[0]} is the first; run a second deployment with its own database."
        )


def _refuse_ledgers(path: Path, document: marked_yaml.MarkedYaml, connections: Connections) -> None:
    """One system's numbers count; the others are compared with it, and nothing is added across connections."""
    documents = document_connections(connections)
    ledgers = [name for name, connection in documents.items() if connection.role == "ledger"]
    if len(documents) < 2 or len(ledgers) == 1:
        return
    if ledgers:
        first, second = ledgers[:2]
        line = document.line(("connections", second, "role"))
        raise ConnectionsError(
            f"{path} line {line}: connection {second}: a second ledger, {first} is the first; the numbers of one system"
            " count: write role: mirror where the others are only compared with it."
        )
    line = document.line(("connections",))
    raise ConnectionsError(
        f"{path} line {line}: every connection is a mirror: write role: ledger in the one whose numbers count."
    )


def _with_ledgers(path: Path, document: marked_yaml.MarkedYaml, connections: Connections) -> Connections:
    """Return the providers and banks with the ledger that each serves: the one it names, else the only one."""
    documents = document_connections(connections)
    found: Connections = {}
    for name, serving in serving_connections(connections).items():
        line = document.line(("connections", name, "ledger"))
        if not documents:
            raise ConnectionsError(
                f"{path} line {line}: connection {name}: there is no ledger that it could serve: add the connection to"
                " the system that keeps the invoices."
            )
        ledger = serving.ledger or ledger_of(connections).name
        if ledger not in documents or (len(documents) > 1 and documents[ledger].role != "ledger"):
            ledgers = ", ".join(each for each, one in documents.items() if one.role == "ledger") or next(
                iter(documents)
            )
            raise ConnectionsError(
                f"{path} line {line}: connection {name}: {ledger} is no ledger that it could serve; there is {ledgers}."
            )
        found[name] = serving.model_copy(update={"ledger": ledger})
    return found
