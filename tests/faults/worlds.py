"""A deployment of its own for each fault test: a drop folder, a database, the `kolleno` command, and what converged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import psycopg

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.delivery import Delivered, deliver
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.reprocess import Reprocessed, reprocess
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.drops import HEADERS, csv_bytes, file_name
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARIES
from tests.command_line import OF_PYTHON, run_command

Row = Mapping[str, str]

Digest = dict[str, list[str]]
DAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
#: A file as old as this is complete at the first look.
OLD = 3600.0

_RESULTS = (
    "balances", "balance_summary", "findings", "control_totals", "control_total_breaks", "ageing",
    "ageing_by_customer", "roll_forward", "unexplained", "unapplied_cash",
)  # fmt: skip


@dataclass
class World:
    """One deployment; `options` are further lines of its connection in connections.yaml."""

    folder: Path
    database_url: str | None
    options: dict[str, str] = field(default_factory=dict)
    name: str = "sftp"
    location: str = ""

    def __post_init__(self) -> None:
        self.drop.mkdir(parents=True, exist_ok=True)
        self.configure()

    @property
    def root(self) -> Path:
        return self.folder / "server"

    @property
    def drop(self) -> Path:
        return self.root / "csv_data_uploads"

    @property
    def settings(self) -> Settings:
        return Settings(
            home=self.folder / "home",
            database_url=self.database_url,
            archive=str(self.folder / "archive"),
            connections=self.folder / "connections.yaml",
        )

    def configure(self, **options: str) -> None:
        """Write connections.yaml, with more options than before."""
        self.options |= options
        lines = {"system": "sftp", "location": self.location or self.root.as_uri()} | self.options
        text = "".join(f"    {name}: {value}\n" for name, value in lines.items())
        (self.folder / "connections.yaml").write_text(f"connections:\n  {self.name}:\n{text}")
        self.__dict__.pop("deployment", None)

    @cached_property
    def deployment(self) -> Deployment:
        return open_deployment(self.settings)

    @property
    def sftp(self) -> SftpConnection:
        return self.deployment.sftp

    def put(self, name: str, content: bytes, *, age: float = OLD) -> Path:
        """Drop a file under its final name, last touched `age` seconds ago."""
        path = self.drop / name
        part = path.with_name(".part")
        part.write_bytes(content)
        moment = time.time() - age
        os.utime(part, (moment, moment))
        part.replace(path)
        return path

    def put_all(self, some: Iterable[drops.Drop]) -> None:
        drops.write(self.drop, some)

    def put_batch(self, at: datetime = DAY, **rows: Iterable[Row] | bytes) -> dict[TableName, str]:
        """Drop the seven files of a batch, header-only where no rows are given; returns their names."""
        names = {}
        for table in TableName:
            names[table] = file_name(table, at)
            given = rows.get(table.value, ())
            content = given if isinstance(given, bytes) else csv_of(table, given)
            self.put(names[table], content)
        return names

    def ingest(self, clock: Clock = utc_now) -> Delivered:
        """Do in this process what `kolleno ingest` does."""
        deployment = self.deployment
        return deliver(deployment, deployment.sftp, clock=clock)

    def reprocess(
        self, first: date = FIRST, last: date = LAST, *, only_failed: bool = False, dry_run: bool = False
    ) -> Reprocessed:
        """Do in this process what `kolleno reprocess` does."""
        deployment = self.deployment
        return reprocess(deployment, deployment.sftp, first, last, only_failed=only_failed, dry_run=dry_run)

    def query(self, statement: str, *params: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.deployment.database_url) as conn:
            return conn.execute(statement.encode(), params).fetchall()

    def value(self, statement: str, *params: object) -> object:
        (row,) = self.query(statement, *params)
        return row[0]

    def execute(self, statement: str, *params: object) -> None:
        with psycopg.connect(self.deployment.database_url) as conn:
            conn.execute(statement.encode(), params)

    def column(self, table: str, column: str) -> dict[str, object]:
        """One column of a receivables table by source_id."""
        rows = self.query(f"SELECT source_id, {column} FROM receivables.{table} WHERE connection = %s", self.name)
        return {str(source_id): value for source_id, value in rows}

    def batches(self) -> dict[str, str]:
        """Status of each batch by id."""
        return dict(self.query("SELECT batch_id, status FROM raw.batches WHERE connection = %s", self.name))  # type: ignore[arg-type]

    def statuses(self) -> dict[tuple[str, int], str]:
        """Status of each content by name and receipt."""
        rows = self.query("SELECT name, receipt, status FROM raw.files WHERE connection = %s", self.name)
        return {(str(name), int(str(receipt))): str(status) for name, receipt, status in rows}

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a command: nothing of the developer's own."""
        given = self.settings
        variables = {
            "PATH": os.environ["PATH"],
            **OF_PYTHON,
            "HOME": os.environ["HOME"],
            "KOLLENO_HOME": str(given.home),
            "KOLLENO_ARCHIVE": given.archive,
            "KOLLENO_CONNECTIONS": str(given.connections),
            "KOLLENO_ENV_FILE": os.devnull,
        }
        if self.database_url is not None:
            variables["KOLLENO_DATABASE_URL"] = self.database_url
        return variables | more

    def start(self, *words: str, module: str = "kolleno_pipelines.cli", **more: str) -> subprocess.Popen[str]:
        """Start a process of ours in a group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=self.environment(**more),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, code: int | None = 0, **more: str) -> tuple[str, str]:
        """Run a command to its end; returns what it said on stdout and stderr. `code` None: any."""
        done = run_command(words, self.environment(**more), self.folder, timeout=120)
        return _judged(done.returncode, done.stdout, done.stderr, code)

    def die_at(self, point: str, *words: str, module: str = "kolleno_pipelines.cli", **more: str) -> None:
        """Run a command that is killed at a fail-point, and prove that it was."""
        mark = self.folder / "mark"
        mark.unlink(missing_ok=True)
        process = self.start(*words, module=module, **more, KOLLENO_FAILPOINT=point, KOLLENO_FAILPOINT_MARK=str(mark))
        out, err = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, f"{point} was not reached\n{out}\n{err}"
        assert mark.read_text() == point.partition("@")[0]

    def receivables(self) -> Digest:
        """Every converged column of `receivables`, and the parked rows."""
        digest: Digest = {}
        with psycopg.connect(self.deployment.database_url) as conn:
            tables = conn.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'receivables'"
                " AND table_name <> 'audit'"
            ).fetchall()
            for (table,) in tables:
                digest[table] = _texts(
                    conn,
                    "SELECT (to_jsonb(t) - 'origin' - 'loaded_at' - 'connection' - 'customer_connection')::text"
                    f" FROM receivables.{table} t WHERE connection = %s",
                    self.name,
                )
            digest["parked"] = _texts(
                conn,
                "SELECT concat_ws(' ', f.name, p.line, p.table_name, p.source_id, p.code, p.parent_table, p.parent_id,"
                " p.is_overtaken)"
                " FROM sftp_csv.parked_rows p JOIN raw.files f ON f.id = p.file_id WHERE p.connection = %s",
                self.name,
            )
        return digest

    def digest(self) -> Digest:
        """All that must converge: receivables, parked rows, reconciliation results without their times."""
        digest = self.receivables()
        with psycopg.connect(self.deployment.database_url) as conn:
            for table in _RESULTS:
                statement = f"SELECT to_jsonb(t)::text FROM reconciliation.{table} t WHERE connection = %s"
                digest[f"reconciliation.{table}"] = _texts(conn, statement, self.name)
            digest["reconciliation.differences"] = _texts(
                conn,
                "SELECT (to_jsonb(t) - 'resolved_on')::text FROM reconciliation.differences t"
                " WHERE connection = %s AND status <> 'resolved'",
                self.name,
            )
            digest["reconciliation.results"] = _texts(
                conn,
                "SELECT concat_ws(' ', result, day, today) FROM reconciliation.results WHERE connection = %s",
                self.name,
            )
        return digest

    def rows_kept(self) -> dict[str, int]:
        """Number of rows in each table of `sftp_csv`, and of (file, line) pairs that are there twice."""
        kept = {}
        for table in TableName:
            kept[table.value] = int(str(self.value(f"SELECT count(*) FROM sftp_csv.{table}")))
            twice = f"SELECT count(*) - count(DISTINCT (file_id, line)) FROM sftp_csv.{table}"
            assert self.value(twice) == 0, f"rows of {table} are there twice"
        return kept


def _texts(conn: psycopg.Connection[tuple[object, ...]], statement: str, name: str) -> list[str]:
    return sorted(str(row[0]).replace(f'"{name}"', '"CONNECTION"') for row in conn.execute(statement.encode(), [name]))


def finish(process: subprocess.Popen[str], code: int | None = 0, *, timeout: float = 120) -> tuple[str, str]:
    """Wait for a process; what it says must be for people."""
    out, err = process.communicate(timeout=timeout)
    return _judged(process.returncode, out, err, code)


def _judged(ended: int, out: str, err: str, code: int | None) -> tuple[str, str]:
    told = f"ended with {ended}\n{out}\n{err}"
    assert code is None or ended == code, told
    assert "Traceback" not in err, told
    assert CANARIES.find(told) is None
    return out, err


def csv_of(table: TableName, rows: Iterable[Row]) -> bytes:
    """A CSV file with the required columns and whatever else the rows have."""
    given = list(rows)
    more = [name for row in given for name in row if name not in HEADERS[table]]
    return csv_bytes((*HEADERS[table], *dict.fromkeys(more)), given)


def customer(source_id: str, **cells: str) -> Row:
    return {"id": source_id, "name": f"Customer {source_id}", "currency_iso": "USD"} | cells


def invoice(source_id: str, of: str = "C1", **cells: str) -> Row:
    good = {"id": source_id, "customer_id": of, "ref": f"R-{source_id}", "amount": "100.00", "balance": "100.00"}
    return good | {"currency_iso": "USD", "date_issued": "2026-03-01", "date_due": "2026-03-31"} | cells


def payment(source_id: str, of: str = "C1", **cells: str) -> Row:
    good = {"id": source_id, "customer_id": of, "ref": "BNK", "amount": "100.00", "balance": "100.00"}
    return good | {"currency_iso": "USD", "date_paid": "2026-03-02"} | cells


def link(paying: str, paid: str, amount: str) -> Row:
    return {"payment_id": paying, "invoice_id": paid, "amount": amount}


def wait_until(what: Callable[[], object], why: str, *, seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{why} did not happen within {seconds:.0f} s"
        time.sleep(0.02)


def at(day: date, hour: int = 12) -> Clock:
    """A clock that stands still."""
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return lambda: moment
