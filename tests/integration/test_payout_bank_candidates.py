"""Which lines of a bank may be payouts, out of many: what the database finds, and that it finds it soon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from kolleno_pipelines.storage import payout_bank

#: Every tenth payout, and every fiftieth line, is of 100.00.
PAYOUTS = """
INSERT INTO receivables.payouts (connection, source_id, amount, currency_iso, status, created_at, date_arrival,
    is_automatic, trace_id, observed_at, origin)
SELECT 'stripe', 'po_' || g, CASE WHEN g % 10 = 0 THEN 100 ELSE g + 0.5 END, 'USD', 'paid', now(),
    date '2016-01-02' + g / 3, true, CASE WHEN g % 2 = 1 THEN 'TRACE' || g END, now(), 'e1:1'
FROM generate_series(1, 4000) g"""
LINES = """
INSERT INTO receivables.bank_lines (connection, source_id, account_source_id, amount, currency_iso, status, date_booked,
    words, remittance_text, file, observed_at, origin)
SELECT 'bank', 'L' || g, 'A', CASE WHEN g % 50 = 0 THEN 100 ELSE g + 0.25 END, 'USD', 'booked',
    date '2016-01-02' + g / 30, jsonb_build_array('TRACE' || g, 'INVOICE' || g), 'Stripe transfer', 'f.xml', now(),
    'e1:1'
FROM generate_series(1, 40000) g"""


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database) as opened:
        opened.execute(PAYOUTS)
        opened.execute(LINES)
        opened.execute("ANALYZE receivables.payouts, receivables.bank_lines")
        yield opened


def test_many_lines_of_one_amount_are_found_soon(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    """Currency alone would pair every payout with every line."""
    conn.execute("SET statement_timeout = '5s'")
    found = payout_bank.candidates(conn, ["stripe"], ["bank"], "STRIPE", timedelta(5), timedelta(10))
    assert Counter(one.has_trace for one in found)[True] == 2000
    alike = [one for one in found if not one.has_trace]
    assert {one.amount for one in alike} == {100}
    assert len({one.payout_source_id for one in alike}) == 400
