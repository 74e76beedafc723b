"""Does a mirror say the same as the ledger, per customer and currency and per document (model 7)?

Reading the two sides does not belong here (storage/agreement.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kolleno_pipelines.rules.agreement_pairs import Pair, paired
from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.schemas.agreement import (
    AgreementBreak,
    AgreementGap,
    AgreementRow,
    Differs,
    Gap,
    Side,
    SideCustomer,
    SideDocument,
)
from kolleno_pipelines.schemas.currencies import decimals_of
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.schemas.results import Cause

KIND = "agreement"
CUSTOMER = "customer"
_ZERO = Decimal(0)
_PAYMENT, _JOURNAL = DocumentKind.PAYMENT.value, DocumentKind.JOURNAL.value


@dataclass
class Agreement:
    """What the two say: totals by customer and currency, what differs, what their formats imply."""

    rows: list[AgreementRow] = field(default_factory=list)
    breaks: list[AgreementBreak] = field(default_factory=list)
    gaps: list[AgreementGap] = field(default_factory=list)


def agree(ledger: Side, mirror: Side, tolerance: Mapping[str, Decimal]) -> Agreement:
    """Compare a mirror with the ledger. `tolerance` is by currency, 0 where it names none.

    Documents are found by kind, ref, day and currency, then, where both sides have one left, by kind and ref. What
    one of the systems cannot state is a gap and no break. The order of documents does not matter.
    """
    work = _Work(ledger, mirror, tolerance)
    alone: dict[tuple[str, str], list[Pair]] = {}
    for key, pair in sorted(paired(ledger.documents, mirror.documents).items()):
        in_ledger, in_mirror = pair.counts
        if in_ledger and in_mirror:
            work.compare(pair)
        elif in_ledger or in_mirror:
            alone.setdefault((key.kind, key.ref), []).append(pair)
    for (_, ref), pairs in alone.items():
        mine, theirs = ([pair for pair in pairs if pair.counts[place]] for place in range(2))
        if ref and len(mine) == len(theirs) == 1:
            work.compare(Pair(mine[0].ledger, theirs[0].mirror))
        else:
            for pair in pairs:
                work.leave(pair)
    work.compare_customers()
    return work.result()


class _Work:
    """One comparison on its way."""

    def __init__(self, ledger: Side, mirror: Side, tolerance: Mapping[str, Decimal]) -> None:
        self.ledger, self.mirror, self.tolerance = ledger, mirror, tolerance
        self.ids = tuple(_ids(side.customers) for side in (ledger, mirror))
        self.breaks: list[AgreementBreak] = []
        self.gaps: dict[tuple[Gap, str, str], tuple[int, Decimal]] = {}
        self.expected: dict[tuple[str, str], Decimal] = {}
        self.renamed: dict[tuple[str, str], list[SideDocument]] = {}

    def compare(self, pair: Pair) -> None:
        """Note what differs between the posted documents of the two sides, by customer if both have several."""
        mine, theirs = _posted(pair.ledger), _posted(pair.mirror)
        shared = _all(mine, "customer")
        if len(shared) > 1 and shared == _all(theirs, "customer"):
            for customer in sorted(shared):
                self.compare(Pair(*([one for one in side if one.customer == customer] for side in (mine, theirs))))
            return
        found: list[Differs] = []
        if _all(mine, "currency_iso") != _all(theirs, "currency_iso"):
            found.append(Differs.CURRENCY)
        elif self._differ(mine, theirs, "amount"):
            found.append(Differs.AMOUNT)
        if _all(mine, "date_issued") != _all(theirs, "date_issued"):
            found.append(Differs.DATE)
        if Differs.CURRENCY not in found and self._differ(mine, theirs, "balance"):
            found.append(Differs.BALANCE)
        customers = (_all(mine, "customer"), _all(theirs, "customer"))
        if customers[0] != customers[1]:
            if not found and self._is_renamed(customers):
                self.renamed.setdefault((min(customers[0]), min(customers[1])), []).extend(pair.every)
                return
            found.append(Differs.CUSTOMER)
        if found:
            self._note(pair, ", ".join(found), self._cause_of(mine, theirs, found))

    def leave(self, pair: Pair) -> None:
        """Note documents that only one side has: a gap, or missing."""
        in_ledger, _ = pair.counts
        mine, other = (pair.ledger, self.mirror) if in_ledger else (pair.mirror, self.ledger)
        posted = _posted(mine)
        gap = _gap(posted, other)
        if gap is not None:
            self._expect(gap, posted, 1 if in_ledger else -1)
            return
        cause = Cause.MISSING_DOCUMENT
        if pair.ledger and pair.mirror:
            cause = Cause.VOID
        elif max(one.observed_at for one in posted) > other.read_upto:
            cause = Cause.STALE_EXTRACT
        self._note(pair, (Differs.NOT_IN_MIRROR if in_ledger else Differs.NOT_IN_LEDGER).value, cause)

    def compare_customers(self) -> None:
        """Note customers that have another name on the other side, and those with another parent there."""
        for (mine, theirs), documents in sorted(self.renamed.items()):
            self._note_customer(Differs.CUSTOMER, mine, theirs, [one.observed_at for one in documents])
        with_parent = [{one.match: one for one in side.customers if one.parent_source_id} for side in self._sides]
        for side, parents in zip(self._sides, reversed(with_parent), strict=True):
            if not side.traits.has_groups and parents:
                self.gaps[Gap.NO_GROUPS, CUSTOMER, ""] = (len(parents), _ZERO)
                return
        matches = [{one.source_id: one.match for one in side.customers} for side in self._sides]
        for match in sorted(self.ids[0].keys() & self.ids[1].keys()):
            own = [parents.get(match) for parents in with_parent]
            named = [names.get(one.parent_source_id or "") if one else None
                     for one, names in zip(own, matches, strict=True)]  # fmt: skip
            if named[0] != named[1]:
                self._note_customer(Differs.PARENT, match, match, [one.observed_at for one in own if one])

    def result(self) -> Agreement:
        """Return everything noted, with the totals by customer and currency."""
        owed = (self.ledger.owed, self.mirror.owed)
        rows = []
        for match, currency in sorted({*owed[0], *owed[1]}):
            mine, theirs = (side.get((match, currency), _ZERO) for side in owed)
            expected = self.expected.get((match, currency), _ZERO)
            if mine or theirs or expected:  # what is expected may be all that the sides are not apart by
                ids = [by_match.get(match, "") for by_match in self.ids]
                names = (self.ledger.connection, self.mirror.connection)
                rows.append(AgreementRow(*names, ids[0], ids[1], currency, mine, theirs, mine - theirs, expected))
        gaps = [
            AgreementGap(self.ledger.connection, self.mirror.connection, gap.value, kind, currency, items, balance)
            for (gap, kind, currency), (items, balance) in sorted(self.gaps.items())
        ]
        return Agreement(rows, sorted(self.breaks, key=lambda one: one.break_id), gaps)

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self.ledger, self.mirror

    def _differ(self, mine: Sequence[SideDocument], theirs: Sequence[SideDocument], name: str) -> bool:
        apart = _sum(mine, name) - _sum(theirs, name)
        return abs(apart) > self.tolerance.get(mine[0].currency_iso, _ZERO)

    def _is_renamed(self, customers: tuple[set[str], set[str]]) -> bool:
        """Each side has one customer, of which the other knows nothing: it is one, under two names."""
        mine, theirs = customers
        known = min(mine) in self.ids[1] or min(theirs) in self.ids[0]
        return len(mine) == len(theirs) == 1 and not known

    def _cause_of(
        self, mine: Sequence[SideDocument], theirs: Sequence[SideDocument], found: Sequence[Differs]
    ) -> Cause | None:
        if set(found) <= {Differs.AMOUNT, Differs.BALANCE}:
            unit = Decimal(1).scaleb(-decimals_of(mine[0].currency_iso))
            apart = [abs(_sum(mine, name) - _sum(theirs, name)) for name in ("amount", "balance")]
            if max(apart) <= unit:
                return Cause.ROUNDING
        newest = [max(one.observed_at for one in documents) for documents in (mine, theirs)]
        is_stale = newest[0] > self.mirror.read_upto or newest[1] > self.ledger.read_upto
        return Cause.STALE_EXTRACT if is_stale else None

    def _expect(self, gap: Gap, documents: Sequence[SideDocument], side: int) -> None:
        for one in documents:
            net = one.balance * DocumentKind(one.kind).sign * side
            items, balance = self.gaps.get((gap, one.kind, one.currency_iso), (0, _ZERO))
            self.gaps[gap, one.kind, one.currency_iso] = (items + 1, balance + net)
            key = (one.customer, one.currency_iso)
            self.expected[key] = self.expected.get(key, _ZERO) + net

    def _note(self, pair: Pair, differs: str, cause: Cause | None) -> None:
        sides = (_posted(pair.ledger) or pair.ledger, _posted(pair.mirror) or pair.mirror)
        ids = ["+".join(sorted(one.source_id for one in side)) for side in sides]
        first = min(_posted(pair.every), key=lambda one: one.source_id)
        owed = DocumentKind(first.kind).sign
        self.breaks.append(
            self._break(
                first.kind,
                differs,
                ids,
                [self._customer_of(side, place) for place, side in enumerate(sides)],
                ref=first.ref,
                date_issued=first.date_issued,
                currency_iso=first.currency_iso,
                amounts=[_sum(side, "amount") if side else None for side in sides],
                balances=[_sum(side, "balance") * owed if side else None for side in sides],
                cause=cause.value if cause else None,
                since=max(one.observed_at for one in pair.every),
            )
        )

    def _note_customer(self, differs: Differs, mine: str, theirs: str, seen: Sequence[Any]) -> None:
        ids = [self.ids[0].get(mine, mine), self.ids[1].get(theirs, theirs)]
        self.breaks.append(self._break(CUSTOMER, differs.value, ids, list(ids), since=max(seen)))

    def _break(
        self, kind: str, differs: str, ids: list[str], customers: Sequence[str | None], **more: Any
    ) -> AgreementBreak:
        connection, mirror = self.ledger.connection, self.mirror.connection
        amounts, balances = more.pop("amounts", [None, None]), more.pop("balances", [None, None])
        facts = {"ref": None, "date_issued": None, "currency_iso": None, "cause": None} | more
        return AgreementBreak(
            break_id=break_id(KIND, connection, (kind, ids[0]), (mirror, ids[1])),
            connection=connection,
            mirror=mirror,
            kind=kind,
            differs=differs,
            source_id=ids[0],
            mirror_source_id=ids[1],
            customer_source_id=customers[0],
            mirror_customer_source_id=customers[1],
            amount=amounts[0],
            mirror_amount=amounts[1],
            balance=balances[0],
            mirror_balance=balances[1],
            **facts,
        )

    def _customer_of(self, documents: Sequence[SideDocument], place: int) -> str | None:
        return self.ids[place].get(min(one.customer for one in documents)) if documents else None


def _gap(documents: Sequence[SideDocument], other: Side) -> Gap | None:
    """Return why the other side cannot have the documents, if it cannot."""
    if documents[0].kind == _JOURNAL and not other.traits.has_journals:
        return Gap.NO_JOURNALS
    if documents[0].kind == _PAYMENT and not any(one.amount or one.balance for one in documents):
        return Gap.ZERO_PAYMENT
    return None


def _ids(customers: Iterable[SideCustomer]) -> dict[str, str]:
    """Customers by what they are found by; of several that are found by the same, the first id stands for all."""
    ids: dict[str, str] = {}
    for one in customers:
        ids[one.match] = min(one.source_id, ids.get(one.match, one.source_id))
    return ids


def _posted(documents: Iterable[SideDocument]) -> list[SideDocument]:
    return [one for one in documents if one.is_posted]


def _all(documents: Iterable[SideDocument], name: str) -> set[Any]:
    return {getattr(one, name) for one in documents}


def _sum(documents: Iterable[SideDocument], name: str) -> Decimal:
    amount: Callable[[SideDocument], Decimal] = lambda one: getattr(one, name) if one.is_posted else _ZERO  # noqa: E731
    return sum((amount(one) for one in documents), _ZERO)
