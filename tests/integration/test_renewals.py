"""Which objects of a payment provider are asked for once more, by what is folded."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from kolleno_pipelines.storage import readings, renewals
from tests.provider_rows import AT, HOUR, Account
from tests.record_payloads import SEEN

EXTRACT_OF = {
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "payout": "payouts",
    "payment_intent": "payment_intents",
}
MEMBERS = "payout_members"


def test_what_is_open_is_asked_for(database: str) -> None:
    """What is only held is open until it is taken or let go, as neither has to show in the balance or in an event."""
    account = Account()
    account.charge("ch_taken", "10.00")
    account.charge("ch_pending", "10.00", row=False, status="pending")
    account.charge("ch_held", "10.00", row=False, is_captured=False, amount_captured="0")
    account.charge("ch_let_go", "10.00", row=False, is_captured=False, amount_captured="0", amount_refunded="10.00")
    account.refund("re_pending", "ch_taken", "5.00", status="pending")
    account.dispute("dp_open", "ch_taken", "5.00", "under_review")
    account.dispute("dp_lost", "ch_taken", "5.00", "lost")
    account.payout("po_way", "1.00", status="in_transit")
    account.payout("po_soon", "2.00", reconciliation_status="in_progress")
    account.payout("po_whole", "3.00")
    account.payout("po_never", "4.00", reconciliation_status="not_applicable")
    account.fold(database)
    with psycopg.connect(database) as conn:
        later = SEEN + timedelta(days=9)
        found = renewals.still_open(conn, "stripe", later, EXTRACT_OF, every=timedelta(days=1))
        lately = renewals.still_open(conn, "stripe", later, EXTRACT_OF, every=timedelta(days=99))
    assert {name for _, name in found} == {
        *("ch_pending", "ch_held", "re_pending", "dp_open", "po_way", "po_soon"),
    }
    assert lately == []


def test_a_payout_of_which_a_part_landed_is_asked_for_again(database: str) -> None:
    account = Account()
    account.charge("ch_1", "100.00", "3.20")
    account.charge("ch_2", "20.00", "0.88")
    for name in ("po_whole", "po_part", "po_none"):
        account.payout(name, "115.92", "txn_ch_1", "txn_ch_2")
    del account.records[MEMBERS, "po_part|txn_ch_2"]
    for item in ("txn_po_none", "txn_ch_1", "txn_ch_2"):
        del account.records[MEMBERS, f"po_none|{item}"]
    account.fold(database)
    with psycopg.connect(database) as conn:
        assert renewals.whole_payouts(conn, "stripe", MEMBERS) == ["po_none", "po_part"]
        readings.note_lookups(conn, "stripe", MEMBERS, SEEN, {"po_part": None, "po_none": None}, set())
        assert renewals.whole_payouts(conn, "stripe", MEMBERS) == []


@pytest.mark.parametrize(
    ("after", "told", "is_asked"),
    [(-1, 0, True), (0, 0, True), (30, 0, True), (3600, 0, False), (3600, 60, True), (90_000, 60, False)],
)
def test_what_was_perhaps_seen_before_its_change_is_asked_for_again(
    database: str, after: int, told: int, is_asked: bool
) -> None:
    """Moments are told by the second, and by two clocks. Seen so long after its change, which was told later still."""
    account = Account()
    account.charge("ch_1", "100.00", "3.20", created_at=AT)
    changed_at = SEEN - timedelta(seconds=after)
    account.row("txn_back", "payment_failure_refund", "-100.00", created_at=changed_at, source_kind="charge",
                source_object_id="ch_1", charge_source_id="ch_1")  # fmt: skip
    account.fold(database)
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE raw.extracts SET observed_at = %s", [SEEN + timedelta(seconds=told)])
        named = renewals.named_since_seen(conn, "stripe", None, EXTRACT_OF)
        assert renewals.named_since_seen(conn, "stripe", SEEN + 10_000 * HOUR, EXTRACT_OF) == []
    assert named == ([("charge", "ch_1")] if is_asked else [])


def test_the_charge_behind_a_refund_or_dispute_is_asked_for(database: str) -> None:
    """Nothing tells of the charge where a refund is given up, or a dispute is an inquiry: no money moves."""
    account = Account()
    for name in ("ch_1", "ch_2", "ch_3"):
        account.charge(name, "100.00", row=False)
    account.say("refunds", "re_1", status="canceled", amount="5.00", currency_iso="USD", created_at=AT,
                charge_source_id="ch_1")  # fmt: skip
    account.dispute("dp_1", "ch_2", "5.00", "warning_closed")
    for number, (kind, name) in enumerate((("refund", "re_1"), ("dispute", "dp_1"), ("refund", "re_unknown"))):
        account.say("provider_events", f"evt_{number}", type="-", created_at=SEEN, source_kind=kind,
                    source_object_id=name)  # fmt: skip
    account.fold(database)
    with psycopg.connect(database) as conn:
        named = renewals.named_since_seen(conn, "stripe", None, EXTRACT_OF)
        assert renewals.named_since_seen(conn, "other", None, EXTRACT_OF) == []
    assert named == [
        *(("charge", "ch_1"), ("charge", "ch_2")),
        *(("dispute", "dp_1"), ("refund", "re_1"), ("refund", "re_unknown")),
    ]
