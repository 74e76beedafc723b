"""Rows of bank accounts, as the normaliser of bank files gives them, and what their columns mean. No I/O.

An amount is above 0 where it came into the account. Days are plain, as the bank writes them.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.model_columns import Columns
from kolleno_pipelines.schemas.record_columns import serving_columns
from kolleno_pipelines.schemas.record_tables import Cell, Ending, RecordTable

_T, _M, _D, _F, _N = Cell.TEXT, Cell.MONEY, Cell.DAY, Cell.FLAG, Cell.COUNT

#: An account in one currency: a number that has several is several accounts.
BANK_ACCOUNTS = RecordTable(
    "bank_accounts",
    {"account_number": _T, "currency_iso": _T, "name": _T, "owner_name": _T, "bank_code": _T},
    Ending.KEPT,
    frozenset({"account_number"}),
)
BANK_STATEMENTS = RecordTable(
    "bank_statements",
    {
        "account_source_id": _T,
        "kind": _T,
        "ref": _T,
        "currency_iso": _T,
        "date_from": _D,
        "date_to": _D,
        "balance_opening": _M,
        "balance_closing": _M,
        "entries": _N,
        "amount_booked": _M,
        "file": _T,
    },
    Ending.KEPT,
    frozenset({"account_source_id", "kind", "ref", "entries", "amount_booked", "file"}),
)
#: A movement of an account; an entry that books several with an amount of their own is a line for each.
BANK_LINES = RecordTable(
    "bank_lines",
    {
        "account_source_id": _T,
        "statement_source_id": _T,
        "amount": _M,
        "currency_iso": _T,
        "status": _T,
        "date_booked": _D,
        "date_value": _D,
        "is_reversal": _F,
        "is_return": _F,
        "entry_reference": _T,
        "bank_reference": _T,
        "transaction_code": _T,
        "counterparty_name": _T,
        "counterparty_account": _T,
        "remittance_text": _T,
        "bank_text": _T,
        "words": Cell.JSON,
        "amount_instructed": _M,
        "currency_instructed_iso": _T,
        "file": _T,
        "file_line": _N,
    },
    Ending.GONE,
    frozenset({"account_source_id", "amount", "currency_iso", "status", "words", "file"}),
)

#: In the order in which they fold.
BANK_TABLES: tuple[RecordTable, ...] = (BANK_ACCOUNTS, BANK_STATEMENTS, BANK_LINES)

_MEANINGS: dict[str, str] = {
    "account_number": "IBAN or other number",
    "account_source_id": "the account",
    "amount": "amount, above 0 where it came in",
    "amount_booked": "what its booked entries come to",
    "amount_instructed": "what was instructed, before an exchange",
    "balance_closing": "balance at its end",
    "balance_opening": "balance at its beginning",
    "bank_code": "BIC or other code of the bank",
    "bank_reference": "the bank's reference of the entry",
    "bank_text": "what the bank says of it",
    "counterparty_account": "account of the other side",
    "counterparty_name": "the other side",
    "currency_instructed_iso": "currency of what was instructed",
    "currency_iso": "ISO 4217",
    "date_booked": "booking date",
    "date_from": "first day",
    "date_to": "last day",
    "date_value": "value date",
    "entries": "how many entries it has",
    "entry_reference": "number of the entry in its file",
    "file": "the bank's file",
    "file_line": "line of it",
    "is_return": "money that came back",
    "is_reversal": "it takes an earlier entry back",
    "kind": "statement, report (of a part of a day) or notification (without balances)",
    "name": "name of the account",
    "owner_name": "whose account it is",
    "ref": "the bank's id of it",
    "remittance_text": "what the sender wrote",
    "statement_source_id": "the statement that says it last",
    "status": "booked, pending or info: only booked counts",
    "words": "its references, to be searched",
    "transaction_code": "kind of transaction, ISO 20022 or the bank's own",
}

#: Columns of each entity of a bank.
BANK_ENTITIES: dict[str, Columns] = {table.entity: serving_columns(table, _MEANINGS) for table in BANK_TABLES}
