"""The demo's figures beside the company's own books, and what `reconciliation/agreement` says. Printed for people.

Nothing is added up across connections: each figure is one connection's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from kolleno_pipelines.cli.demo_company import CONNECTIONS, QUICKBOOKS, Dropped, PlantedBreak
from kolleno_pipelines.cli.terminal import print_rows
from kolleno_pipelines.connections import document_connections
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.events import INVOICE
from kolleno_pipelines.schemas.currencies import amount_text

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.deployment import Deployment

Row = Mapping[str, Any]
_TOTALS = ("customers", "invoices_open", "invoices_balance", "credit_notes_balance", "payments_balance", "net")
_BUCKETS = ("not_due", "1-30", "31-60", "61-90", "91+", "unapplied")
_SUMS = ("balance", "mirror_balance", "difference", "expected")
MIRRORS = tuple(name for name in CONNECTIONS if name != QUICKBOOKS)
_WHY = {
    "zero_payment": "QuickBooks applies a credit by a payment of 0, others have none",
    "no_groups": "Xero has no parents of customers",
    "no_journals": "it has no journals on receivables",
}


@dataclass(frozen=True)
class Figure:
    """One figure: what the company's own books say, what each system was told, what came out of the pipeline."""

    what: str
    books: str
    told: Mapping[str, str]
    computed: Mapping[str, str]

    @property
    def verdict(self) -> str:
        """Whether all are the same to the last digit; a mirror with the planted break differs by it, and only by it."""
        if any(self.told[name] != figure for name, figure in self.computed.items()):
            return "DISAGREES"
        apart = [name for name, figure in self.computed.items() if figure != self.books]
        return f"planted in {', '.join(apart)}" if apart else "agrees"


def figures(deployment: Deployment, dropped: Dropped) -> list[Figure]:
    """Return every figure of the company's answers beside the pipeline's; what only one of them has shows as `-`."""
    from kolleno_pipelines.pipeline.reports import report

    def rows(name: str) -> dict[str, list[Row]]:
        found = report(
            name,
            deployment.database_url,
            document_connections(deployment.connections),
            dropped.today,
            include_mirrors=True,
        )
        return {one: [row for row in found if row["connection"] == one] for one in CONNECTIONS}

    books = _expected(Answers.of(dropped.company))
    told = {name: _expected(Answers.of(dropped.told(name))) for name in CONNECTIONS}
    totals, ageing, balances = rows("control-totals"), rows("ageing"), rows("balances")
    computed = {name: _computed(totals[name], ageing[name], balances[name]) for name in CONNECTIONS}
    places = sorted({place for each in (books, *told.values(), *computed.values()) for place in each})
    return [
        Figure(
            place.what,
            books.get(place, "-"),
            {name: told[name].get(place, "-") for name in CONNECTIONS},
            {name: computed[name].get(place, "-") for name in CONNECTIONS},
        )
        for place in places
    ]


class _Place(NamedTuple):
    """Where a figure stands in the table."""

    part: int
    currency_iso: str
    number: int
    name: str

    @property
    def what(self) -> str:
        return f"{self.currency_iso} {self.name}".strip()


_OPENING = _Place(2, "", 0, "documents with an opening difference")


def _expected(answers: Answers) -> dict[_Place, str]:
    found = {
        _Place(0, each.currency_iso, number, name): _figure(getattr(each, name), each.currency_iso)
        for each in answers.control_totals()
        for number, name in enumerate(_TOTALS)
    }
    for each in answers.ageing():
        place = _Place(1, each.currency_iso, _BUCKETS.index(each.bucket), each.bucket)
        found[place] = f"{each.documents} {_figure(each.amount, each.currency_iso)}"
    return {**found, _OPENING: str(len(answers.opening_differences()))}


def _computed(totals: Iterable[Row], ageing: Iterable[Row], balances: Iterable[Row]) -> dict[_Place, str]:
    found = {
        _Place(0, row["currency_iso"], number, name): _figure(row[name], row["currency_iso"])
        for row in totals
        for number, name in enumerate(_TOTALS)
    }
    for row in ageing:
        if int(row["documents"]) or Decimal(str(row["amount"])):
            place = _Place(1, row["currency_iso"], _BUCKETS.index(row["bucket"]), row["bucket"])
            found[place] = f"{row['documents']} {_figure(row['amount'], row['currency_iso'])}"
    return {**found, _OPENING: str(sum(row["is_opening"] for row in balances))}


def _figure(value: object, currency_iso: str | None) -> str:
    """A count, or an amount in one spelling, whatever type it came as: exact."""
    if isinstance(value, int):
        return f"{value:,}"
    return amount_text(Decimal(str(value)), currency_iso, thousands=True)


def show_figures(deployment: Deployment, dropped: Dropped) -> bool:
    """Print the figures beside the company's own, and what was found in faulty files; returns whether all agree."""
    lines = figures(deployment, dropped)
    print_rows(
        ("figure", "the company's books", *CONNECTIONS, ""),
        ((line.what, line.books, *(line.computed[name] for name in CONNECTIONS), line.verdict) for line in lines),
        title=f"A company of {len(dropped.company.batches)} batches, {dropped.first_day} to {dropped.today}",
    )
    findings = list(_findings(deployment, dropped))
    if findings:
        print_rows(
            ("file", "what is wrong with it", "what was found", ""),
            ((*each, "agrees" if each[1] == each[2] else "DISAGREES") for each in findings),
            title="Faulty files",
        )
    wrong = sum(line.verdict == "DISAGREES" for line in lines) + sum(each[1] != each[2] for each in findings)
    count = len(lines) * len(CONNECTIONS) + len(findings)
    planted = sum(line.verdict.startswith("planted") for line in lines)
    also = f", {planted} of them with the planted break" if planted else ""
    print(f"{count} figures: {'all agree' if not wrong else f'{wrong} disagree'} with the sandbox's own answers{also}.")
    return not wrong


def _findings(deployment: Deployment, dropped: Dropped) -> Iterator[tuple[str, str, str]]:
    """Yield a file, the code that must be found in it, and that or what was found instead."""
    for expected in dropped.expected:
        found = set(_codes(deployment, expected.file or ""))
        code = expected.code.value
        yield str(expected.file), code, code if code in found else ", ".join(sorted(found)) or "nothing found"


def _codes(deployment: Deployment, name: str) -> Iterable[str]:
    from kolleno_pipelines.pipeline.file_views import NoSuchFileError, file_view

    try:
        view = file_view(deployment, deployment.sftp, name)
    except NoSuchFileError:
        return
    yield from (finding.code for finding in view.findings)
    yield from (finding["code"] for row in view.rejected for finding in row.findings)


def show_agreement(deployment: Deployment, dropped: Dropped) -> bool:
    """Print what the agreement says; returns whether the mirrors agree, but for the planted break and only for it."""
    from kolleno_pipelines.pipeline.reports import report

    documents = document_connections(deployment.connections)
    rows = report("agreement", deployment.database_url, documents, dropped.today)
    _show_owed([row for row in rows if row["customers"]])
    _show_gaps([(row, gap) for row in rows for gap in row["gaps"]])
    breaks = [(row, found) for row in rows for found in row["breaks"]]
    _show_breaks(breaks)
    compared = {(row["mirror"], row["currency_iso"]) for row in rows if row["customers"]}
    wanted = {(name, total.currency_iso) for name in MIRRORS for total in Answers.of(dropped.company).control_totals()}
    missing = sorted(wanted - compared)
    if missing:
        print(f"Not compared: {', '.join(' '.join(each) for each in missing)}.")
    return _conclude(breaks, dropped.planted) and not missing


def _show_owed(rows: Sequence[Row]) -> None:
    print_rows(
        ("mirror", "currency", "customers", f"owed by {QUICKBOOKS}", "owed by the mirror", "difference", "expected"),
        [
            (
                *(row["mirror"], row["currency_iso"], row["customers"]),
                *(_figure(row[name], row["currency_iso"]) for name in _SUMS),
            )
            for row in rows
        ],
        title=f"reconciliation/agreement of {' and of '.join(MIRRORS)} with {QUICKBOOKS}, the ledger",
    )


def _show_gaps(gaps: Sequence[tuple[Row, Row]]) -> None:
    """Print each gap of a mirror in one line, documents by currency."""
    items: dict[tuple[str, str], list[str]] = {}
    for row, gap in gaps:
        owed = f" ({_figure(gap['balance'], row['currency_iso'])} owed)" if Decimal(gap["balance"]) else ""
        shown = (
            f"{row['currency_iso']} {gap['items']}{owed}" if row["currency_iso"] else f"{gap['items']} {gap['kind']}s"
        )
        items.setdefault((row["mirror"], gap["gap"]), []).append(shown)
    if items:
        print_rows(
            ("mirror", "gap", "how many", "why"),
            [(mirror, gap, shown, _WHY.get(gap, "")) for (mirror, gap), shown in items.items()],
            title="Expected, since one of the two systems cannot state it",
        )


def _show_breaks(breaks: Sequence[tuple[Row, Row]]) -> None:
    if breaks:
        print_rows(
            ("mirror", "document", "what differs", f"{QUICKBOOKS} says", "the mirror says", "probable cause"),
            [
                (
                    row["mirror"],
                    f"{found['kind']} {found['ref'] or found['source_id'] or found['mirror_source_id']}",
                    found["differs"],
                    _said(row, found, ""),
                    _said(row, found, "mirror_"),
                    found["cause"] or "",
                )
                for row, found in breaks
            ],
            title="Breaks",
        )


def _said(row: Row, found: Row, side: str) -> str:
    amount, balance = found[f"{side}amount"], found[f"{side}balance"]
    if amount is None:
        return "nothing"
    currency = row["currency_iso"]
    return f"{_figure(amount, currency)} {currency}, {_figure(balance, currency)} open"


def _conclude(breaks: Sequence[tuple[Row, Row]], planted: PlantedBreak | None) -> bool:
    """Say in one sentence what the breaks come to; returns whether they are what was planted, and nothing else."""
    others = [found for row, found in breaks if planted is None or not _is_planted(row, found, planted)]
    if others:
        print(f"{len(others)} {'break' if len(others) == 1 else 'breaks'} that nobody planted.")
    elif planted is None:
        print(f"{' and '.join(MIRRORS)} agree with {QUICKBOOKS}.")
    elif not breaks:
        print(f"The planted break is not named: invoice {planted.ref} in {planted.mirror}.")
    else:
        amount, mirrored = (_figure(one, planted.currency_iso) for one in (planted.amount, planted.mirror_amount))
        print(
            f"The planted break is named, and no other: invoice {planted.ref} is {amount} {planted.currency_iso}"
            f" in {QUICKBOOKS} and {mirrored} in {planted.mirror}."
        )
        return True
    return not others and planted is None


def _is_planted(row: Row, found: Row, planted: PlantedBreak) -> bool:
    amounts = (Decimal(found["amount"] or 0), Decimal(found["mirror_amount"] or 0))
    return (
        (row["mirror"], row["currency_iso"], found["kind"], found["ref"])
        == (planted.mirror, planted.currency_iso, INVOICE, planted.ref)
        and found["differs"] == "amount, balance"
        and amounts == (planted.amount, planted.mirror_amount)
    )
