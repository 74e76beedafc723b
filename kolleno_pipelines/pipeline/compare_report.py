"""Use case: compare a report of payouts, downloaded from the payment provider, with the API's view. Nothing is kept.

How the file is read is connectors/stripe/payout_report.py, what differs rules/payout_report.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kolleno_pipelines.connections import provider_connections
from kolleno_pipelines.connectors.stripe.payout_report import PayoutReport
from kolleno_pipelines.connectors.stripe.report_name import report_name
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.rules.payout_report import (
    finding_of_item,
    finding_of_payout,
    findings_of_row,
    payout_compared,
    payouts_of,
)
from kolleno_pipelines.rules.report_period import days_of, report_period, zone_fault
from kolleno_pipelines.schemas.findings import FileFailed, Finding, printable
from kolleno_pipelines.schemas.payout_report import (
    Asked,
    PayoutCompared,
    Period,
    ReportFinding,
    ReportName,
    ReportOutcome,
    ReportRow,
)
from kolleno_pipelines.storage.payout_report import StagedReport, staging

Progress = Callable[[str], None]
_STEP = 10_000


class NotComparableError(Exception):
    """The report cannot be compared with the connection; the text says why and what to do."""


class UnreadableReportError(Exception):
    """The file is no report that can be read; `findings` names what is wrong, the first of `faults`."""

    def __init__(self, name: str, findings: Sequence[Finding], faults: int) -> None:
        self.findings, self.faults = findings, faults
        first = findings[0]
        where = f"line {first.line}: " if first.line is not None else ""
        more = f" ({faults:,} faults in all)" if faults > 1 else ""
        super().__init__(f"{name} was not compared, since it cannot be read: {where}{first.message}{more}.")


@dataclass
class Comparison:
    """A report beside the API's view: take `findings()` to their end, then ask for the rest.

    period: nothing where only the payouts count that the file names.
    """

    connection: str
    file: str
    rows: int
    timezone: str
    period: Period | None
    _staged: StagedReport
    codes: Counter[str] = field(default_factory=Counter)
    payouts: list[PayoutCompared] = field(default_factory=list)

    def findings(self) -> Iterator[ReportFinding]:
        """Yield what is wrong: rows of the report by line, items that it lacks, payouts as a whole."""
        flagged: set[str] = set()
        for found in self._findings(flagged):
            flagged |= payouts_of(found)
            self.codes[found.code] += 1
            yield found
        self.payouts = [payout_compared(sums, flagged) for sums in self._staged.payouts()]

    def _findings(self, flagged: set[str]) -> Iterator[ReportFinding]:
        for row in self._staged.suspects():
            yield from findings_of_row(row, self._staged.layout.columns)
        for item in self._staged.missing_items():
            yield finding_of_item(item)
        for sums in self._staged.payouts():
            found = finding_of_payout(sums, flagged)
            if found is not None:
                yield found

    @property
    def asks_for_somebody(self) -> bool:
        """Whether not everything agrees: something differs, or a payout of the report could not be compared yet."""
        return any(one.outcome != ReportOutcome.AGREES for one in self.payouts) or bool(self.codes)

    def notes(self) -> list[str]:
        """Return what a person should know who reads the findings."""
        notes = [f"{self.rows:,} rows of {self.file} were compared with {self.connection}; {self._period()}"]
        pending = sorted({one.payout_source_id for one in self.payouts if one.outcome == ReportOutcome.PENDING})
        if pending:
            which = ", ".join(pending[:5]) + (", ..." if len(pending) > 5 else "")
            notes.append(
                f"{len(pending)} payouts are not itemised in the API's view yet ({which}): of their rows only the"
                f" figures were compared. `kolleno extract {self.connection}` reads their lists once they are complete."
            )
        there, lacking = self._staged.missing_categories()
        if there and lacking and not there & lacking:
            kept = ", ".join(sorted(there))
            notes.append(f"All rows of the file are of category {kept}: was it downloaded for that category alone?")
        return notes

    def _period(self) -> str:
        if self.period is None:
            return "nothing tells its period (--from and --to do), so payouts that it does not name are not missed."
        return f"its period is {days_of(self.period, self.timezone)}, by {self.period.told_by}."


@contextmanager
def comparison(
    deployment: Deployment,
    connection: str,
    path: Path,
    asked: Asked,
    *,
    max_findings: int = 1_000,
    progress: Progress = lambda _: None,
) -> Iterator[Comparison]:
    """Read the report whole and lay it beside the API's view of the connection, as it is at this moment.

    max_findings: so many faults of the file are named. Raises UnreadableReportError, NotComparableError.
    """
    _refuse_others(deployment, connection)
    shown = printable(path.name)
    named = report_name(path.name)
    zone = asked.timezone or (named.timezone if named else "UTC")
    try:
        report = PayoutReport(partial(_open, path), max_findings=max_findings)
        with staging(deployment.database_url, connection, report.layout, zone) as staged:
            staged.put(_told(report.rows(), progress))
            if report.faults:
                raise UnreadableReportError(shown, report.findings, report.faults)
            period = report_period(asked, named, zone, staged.span())
            _refuse_strange(staged, shown, report.rows_read, period)
            staged.lay_out(period, _currencies(named, staged))
            yield Comparison(connection, shown, report.rows_read, zone, period, staged)
    except FileFailed as failed:
        raise UnreadableReportError(shown, failed.findings, len(failed.findings)) from None


def _refuse_others(deployment: Deployment, connection: str) -> None:
    providers = provider_connections(deployment.connections)
    if connection in providers:
        return
    there = ", ".join(providers) or "none"
    if connection in deployment.connections:
        raise NotComparableError(f"{connection} is no payment provider, which reports payouts; there is {there}.")
    raise NotComparableError(
        f"There is no connection {connection} in {deployment.settings.connections}; of payment providers there is"
        f" {there}."
    )


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise NotComparableError(f"{printable(str(path))} is a folder; name the report in it.")
    if path.exists() and not path.is_file():
        raise NotComparableError(f"{printable(str(path))} is a pipe or a device; save the report as a file first.")
    try:
        return path.open("rb")
    except OSError as error:
        raise NotComparableError(f"{printable(str(path))} cannot be read: {error.strerror}.") from None


def _told(rows: Iterator[ReportRow], progress: Progress) -> Iterator[ReportRow]:
    for number, row in enumerate(rows, 1):
        if number % _STEP == 0:
            progress(f"{number:,} rows")
        yield row


def _currencies(named: ReportName | None, staged: StagedReport) -> list[str] | None:
    """Return the currencies that the report covers: its name's and its rows'. None: all, where nothing says one."""
    said = {*staged.currencies(), *([named.currency_iso] if named else ())}
    return sorted(said) or None


def _refuse_strange(staged: StagedReport, name: str, rows: int, period: Period | None) -> None:
    """Refuse what would differ in every row."""
    if rows == 0:
        if period is None:
            raise NotComparableError(f"{name} holds no rows: --from and --to say which days it covers.")
        return
    if not staged.is_known():
        raise NotComparableError(
            f"{staged.connection} knows no payout and no row of {name}: it is a report of another account, or of days"
            f" that were not read yet (`kolleno extract {staged.connection}`)."
        )
    if "created_at" in staged.layout.columns and "created_at" not in staged.layout.in_utc:
        apart = zone_fault(staged.offsets())
        if apart is not None:
            raise NotComparableError(
                f"The moments of {name} are not those of {staged.timezone}: created is {apart} the API's in every row."
                " Name the time zone of the download with --timezone, or download the column created_utc."
            )
