"""Rows of `receivables` for integration tests of the results, written with SQL as the fold would leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from kolleno_pipelines.schemas.agreement_mapping import AgreementMapping

BASELINE = datetime(2026, 1, 1, 6, tzinfo=UTC)


@dataclass(frozen=True)
class Connection:
    """What reconciliation needs to know of a connection."""

    name: str = "sftp"
    role: str = "ledger"
    system: str = "sftp"
    tolerance: dict[str, Decimal] = field(default_factory=dict)
    ageing_buckets: tuple[int, ...] = (30, 60, 90)
    batch_window: timedelta = timedelta(minutes=15)
    balance_stated: bool = False
    link_cap: int | None = None
    start_date: date | None = None
    agreement: AgreementMapping | None = None


class Books:
    """Writes records of one connection, each in a transaction of its own."""

    def __init__(self, url: str, connection: str = "sftp") -> None:
        self.url, self.connection = url, connection

    def execute(self, statement: str, *params: object) -> None:
        with psycopg.connect(self.url) as conn:
            conn.execute(statement, params)

    def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())

    def customer(self, source_id: str, **more: Any) -> None:
        values = {"name": source_id, "currency_iso": "USD", "group_source_id": source_id, "observed_at": BASELINE}
        self.insert(
            "receivables.customers",
            **{"connection": self.connection, "source_id": source_id, "origin": "1:1"} | values | more,
        )

    def document(self, kind: str, source_id: str, amount: str, balance: str, issued: date, **more: Any) -> None:
        values = {
            "connection": self.connection,
            "source_id": source_id,
            "kind": kind,
            "ref": source_id,
            "customer_connection": self.connection,
            "customer_source_id": "C1",
            "posting_status": "posted",
            "collection_status": "none",
            "amount": amount,
            "balance": balance,
            "balance_source": "stated",
            "currency_iso": "USD",
            "date_issued": issued,
            "observed_at": BASELINE,
            "origin": "1:1",
        }
        table = more.pop("table", f"{kind}s")
        values |= more
        values.setdefault("first_seen_at", min(BASELINE, values["observed_at"]))
        values |= {"balance_open": values["balance"] if values["posting_status"] == "posted" else 0}
        self.insert(f"receivables.{table}", **values)

    def balance(self, invoice: str, balance: str) -> None:
        self.execute(
            "UPDATE receivables.invoices SET (balance, balance_open) = (%s, %s) WHERE source_id = %s",
            balance,
            balance,
            invoice,
        )

    def invoice(self, *args: Any, **more: Any) -> None:
        self.document("invoice", *args, **more)

    def payment(self, *args: Any, **more: Any) -> None:
        self.document("payment", *args, **more)

    def credit_note(self, *args: Any, **more: Any) -> None:
        self.document("credit_note", *args, **more)

    def money(self, kind: str, source_id: str, amount: str, balance: str, issued: date, **more: Any) -> None:
        """An overpayment or prepayment."""
        self.document(kind, source_id, amount, balance, issued, table="payments", **more)

    def journal(self, source_id: str, amount: str, balance: str, issued: date, **more: Any) -> None:
        """A line on receivables account A."""
        values = {"connection": self.connection, "source_id": source_id, "kind": "journal", "ref": source_id}
        values |= {"customer_connection": self.connection, "customer_source_id": "C1", "account_source_id": "A"}
        values |= {"posting_status": "posted", "amount": amount, "balance": balance, "balance_open": balance}
        values |= {"currency_iso": "USD", "date_issued": issued, "first_seen_at": BASELINE, "observed_at": BASELINE}
        self.insert("receivables.journals", **values | {"origin": "1:1"} | more)

    def refund(self, source_id: str, amount: str, issued: date, **more: Any) -> None:
        values = {"connection": self.connection, "source_id": source_id, "kind": "refund", "ref": source_id}
        values |= {"customer_connection": self.connection, "customer_source_id": "C1", "posting_status": "posted"}
        values |= {"amount": amount, "currency_iso": "USD", "date_issued": issued, "first_seen_at": BASELINE}
        self.insert("receivables.refunds_erp", **values | {"observed_at": BASELINE, "origin": "1:1"} | more)

    def merged(self, source_id: str, into: str) -> None:
        values = {"connection": self.connection, "source_id": source_id, "customer_source_id": into}
        self.insert("receivables.customer_aliases", **values, observed_at=BASELINE, origin="1:1")

    def account(self, source_id: str, stated: str | None, currency_iso: str | None = "USD", **more: Any) -> None:
        values = {"connection": self.connection, "source_id": source_id, "name": f"Receivables {source_id}"}
        values |= {"is_receivable": True, "currency_iso": currency_iso, "balance_stated": stated}
        self.insert("receivables.accounts", **values | {"observed_at": BASELINE, "origin": "1:1"} | more)

    def extract(self, name: str, observed_at: datetime = BASELINE) -> int:
        """A folded part of an extract; returns its id."""
        with psycopg.connect(self.url) as conn:
            row = conn.execute(
                "INSERT INTO raw.extracts (connection, extract, pass, partition_day, observed_at, sha256, size,"
                " records, status) VALUES (%s, %s, 'changes', %s, %s, '', 0, 1, 'folded') RETURNING id",
                (self.connection, name, observed_at.date(), observed_at),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def allocation(self, paying: tuple[str, str], invoice: str, amount: str, **more: Any) -> None:
        """What is paid is an invoice, unless `to_kind` says otherwise."""
        values = {
            "connection": self.connection,
            "source_id": f"{paying[1]}|{invoice}",
            "owner_kind": paying[0],
            "owner_source_id": paying[1],
            "from_kind": paying[0],
            "from_source_id": paying[1],
            "to_kind": "invoice",
            "to_source_id": invoice,
            "amount": amount,
            "observed_at": BASELINE,
            "origin": "1:1",
        }
        values |= more
        values.setdefault("first_seen_at", values["observed_at"])
        self.insert("receivables.allocations", **values)

    def move(self, kind: str, source_id: str, at: datetime, delta: str) -> None:
        self.insert(
            "receivables.balance_moves",
            connection=self.connection,
            kind=kind,
            source_id=source_id,
            moved_at=at,
            settled_delta=delta,
        )

    def live_input(self, at: datetime) -> None:
        """A loaded file: the earliest one is the connection's baseline."""
        self.insert(
            "raw.files",
            connection=self.connection,
            name=f"customers_{at:%Y-%m-%dT%H:%M:%S}.csv",
            type="customers",
            name_time=at,
            size=1,
            partition_day=at.date(),
            status="processed",
            is_loaded=True,
        )

    def parked_link(self, payment: str, invoice: str, amount: str) -> None:
        """An allocation row whose payment is not known."""
        with psycopg.connect(self.url) as conn:
            row = conn.execute(
                "INSERT INTO raw.files (connection, name, type, name_time, size, partition_day, status)"
                " VALUES (%s, %s, 'payments_invoices', '2026-01-02T06:00:05Z', 1, '2026-01-02', 'processed')"
                " ON CONFLICT (connection, name, receipt) DO UPDATE SET size = 1 RETURNING id, ("
                "SELECT 2 + count(*) FROM sftp_csv.payments_invoices)",
                (self.connection, "payments_invoices_2026-01-02T06:00:05.csv"),
            ).fetchone()
            assert row is not None
            conn.execute(
                "INSERT INTO sftp_csv.payments_invoices (file_id, line, source_id, payment_id, invoice_id, amount)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (row[0], row[1], f"{payment}|{invoice}", payment, invoice, amount),
            )
            conn.execute(
                "INSERT INTO sftp_csv.parked_rows VALUES (%s, %s, %s, 'payments_invoices', %s, 'unknown_payment',"
                " 'payments', %s)",
                (self.connection, row[0], row[1], f"{payment}|{invoice}", payment),
            )


def rows(url: str, query: str, *params: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(query, params).fetchall()
