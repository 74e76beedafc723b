"""Charges and payouts of a provider from receivables to committed results: time and memory. Nothing is asked."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import psycopg

from benchmarks.lines import Line, middle
from benchmarks.memory_watch import Peak, watched
from benchmarks.site import Site
from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges, reconcile_payouts
from kolleno_pipelines.storage import embedded

PAYOUTS, ITEMS, BANK_LINES = 10_000, 1_000_000, 100_000
SECONDS, MEGABYTES = 60.0, 2_000.0
#: One in so many of a kind is otherwise: refunds, fees without a charge, charges without a payment.
_REFUNDS, _FEES, _WITHOUT = 20, 100, 5_000
_TODAY = date(2026, 3, 1)


@dataclass(frozen=True)
class _Provider:
    name: str = "stripe"
    ledger: str = "bench"
    cutover: date | None = None
    payout_charge_id_field: str | None = None


@dataclass(frozen=True)
class _Bank:
    name: str = "bank"
    ledger: str = "bench"
    payout_window: timedelta = timedelta(days=5)


def measure(site: Site, repeats: int) -> list[Line]:
    """10,000 payouts with 1,000,000 items, their charges, refunds and fees, the ledger's payments, 100,000 bank lines.

    All new.
    """
    return measure_size(site, repeats, PAYOUTS, ITEMS)


def measure_size(site: Site, repeats: int, payouts: int, items: int) -> list[Line]:
    """The same at another size."""
    times: dict[str, list[float]] = {"charges": [], "payouts": [], "again": []}
    memory: list[float] = []
    note = ""
    for _ in range(repeats):
        url = site.begin_afresh().database_url
        _fill(url, payouts, items)
        providers, banks = {"stripe": _Provider()}, {"bank": _Bank()}
        at_bank = partial(reconcile_payouts, banks=banks)
        postgres = embedded.status(site.home).pid or 0
        with watched(os.getpid(), postgres) as peak:
            for name, compute in (
                ("charges", reconcile_charges),
                ("payouts", at_bank),
                ("again", at_bank),
            ):
                began = time.perf_counter()
                summary = compute(url, providers, _TODAY)
                times[name].append(time.perf_counter() - began)
        assert (summary.changes.written, summary.changes.deleted) == (0, 0), summary
        assert summary.counts["reconciled"] + summary.counts["blocked_unknown_member"] == payouts, summary.counts
        assert summary.counts["bank_reconciled"] == payouts, summary.counts
        memory.append(_megabytes(peak))
        note = f"{summary.counts['exceptions']} exceptions; again {times['again'][-1]:.1f} s"
    return [
        Line("payout_items", middle(times["payouts"]), "s", SECONDS, note),
        Line("payout_charges", middle(times["charges"]), "s", SECONDS),
        Line("payout_memory", middle(memory), "MB", MEGABYTES, "this process and PostgreSQL"),
    ]


def _megabytes(peak: Peak) -> float:
    return (peak.tree + peak.postgres) / 1e6


def _fill(url: str, payouts: int, items: int) -> None:
    """Fill `receivables` as the fold would leave it, by SQL alone."""
    params = {"payouts": payouts, "items": items, "refunds": _REFUNDS, "fees": _FEES, "without": _WITHOUT}
    params["lines"] = BANK_LINES
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in _STATEMENTS:
            conn.execute(statement.encode(), params)
        conn.execute("VACUUM ANALYZE")


#: Item n is in payout n % payouts: a fee, a refund of the charge before it, or a charge of 20.00 to 119.99.
_NUMBERS = """
CREATE UNLOGGED TABLE public.bench_items AS
SELECT n, n %% %(payouts)s AS payout, timestamptz '2026-01-01 00:00Z' + n * interval '1 second' AS at,
       CASE WHEN n %% %(fees)s = 7 THEN 'fee' WHEN n %% %(refunds)s = 3 THEN 'refund' ELSE 'charge' END AS what,
       round((2000 + n::bigint * 7919 %% 10000) / 100.0, 2) AS amount
FROM generate_series(1, %(items)s) n"""
_ROW = """
INSERT INTO receivables.balance_transactions (connection, source_id, type, reporting_category, amount, fee, net,
    currency_iso, created_at, source_kind, source_object_id, charge_source_id, observed_at, origin)
SELECT 'stripe', 'txn_' || n, CASE what WHEN 'fee' THEN 'stripe_fee' ELSE what END, what, amount, fee, amount - fee,
       'USD', at, NULLIF(what, 'fee'),
       CASE what WHEN 'charge' THEN 'ch_' || n WHEN 'refund' THEN 're_' || n END,
       CASE what WHEN 'charge' THEN 'ch_' || n WHEN 'refund' THEN 'ch_' || n - 1 END, at, 'e1:1'
FROM (SELECT n, what, at, CASE what WHEN 'charge' THEN amount WHEN 'fee' THEN -1.00 ELSE -1.00 END AS amount,
             CASE what WHEN 'charge' THEN round(amount * 0.029 + 0.30, 2) ELSE 0 END AS fee
      FROM public.bench_items) i"""
_STATEMENTS = (
    _NUMBERS,
    _ROW,
    """
INSERT INTO receivables.charges (connection, source_id, provider, status, amount, amount_captured, currency_iso,
    created_at, is_captured, is_own, own_reference, balance_transaction_source_id, observed_at, origin)
SELECT 'stripe', 'ch_' || n, 'stripe', 'succeeded', amount, amount, 'USD', at, true, true, 'K-' || n, 'txn_' || n, at,
       'e1:1'
FROM public.bench_items WHERE what = 'charge'""",
    """
INSERT INTO receivables.refunds (connection, source_id, status, amount, currency_iso, created_at, charge_source_id,
    balance_transaction_source_id, observed_at, origin)
SELECT 'stripe', 're_' || n, 'succeeded', 1.00, 'USD', at, 'ch_' || n - 1, 'txn_' || n, at, 'e1:1'
FROM public.bench_items WHERE what = 'refund'""",
    """
INSERT INTO receivables.fee_details (connection, source_id, balance_transaction_source_id, ordinal, type, amount,
    currency_iso, observed_at, origin)
SELECT 'stripe', source_id || ':1', source_id, 1, 'stripe_fee', fee, 'USD', observed_at, 'e1:1'
FROM receivables.balance_transactions WHERE fee <> 0""",
    """
INSERT INTO receivables.payments (connection, source_id, kind, ref, customer_connection, customer_source_id,
    posting_status, collection_status, amount, balance, balance_source, currency_iso, date_issued, settlement,
    balance_open, psp_reference, first_seen_at, observed_at, origin)
SELECT 'bench', 'P' || n, 'payment', 'R' || n, 'bench', 'C1', 'posted', 'none', amount, 1, 'stated', 'USD', at::date,
       'open', 1, 'K-' || n, at, at, 'e2:1'
FROM public.bench_items WHERE what = 'charge' AND n %% %(without)s <> 1""",
    """
INSERT INTO receivables.payout_members (connection, source_id, payout_source_id, balance_transaction_source_id, type,
    reporting_category, amount, fee, net, currency_iso, observed_at, origin)
SELECT 'stripe', 'po_' || payout || '|txn_' || n, 'po_' || payout, t.source_id, t.type, t.reporting_category, t.amount,
       t.fee, t.net, 'USD', at, 'e1:1'
FROM public.bench_items i JOIN receivables.balance_transactions t ON t.source_id = 'txn_' || n""",
    """
INSERT INTO receivables.payouts (connection, source_id, status, amount, currency_iso, created_at, is_automatic, method,
    reconciliation_status, balance_transaction_source_id, date_arrival, trace_id, observed_at, origin)
SELECT 'stripe', payout_source_id, 'paid', sum(net), 'USD', max(observed_at), true, 'standard', 'completed',
       'txn_' || payout_source_id, max(observed_at)::date + 1,
       CASE WHEN hashtext(payout_source_id) %% 2 = 0 THEN 'TRACE-' || payout_source_id END, max(observed_at), 'e1:1'
FROM receivables.payout_members GROUP BY payout_source_id""",
    """
INSERT INTO receivables.bank_accounts (connection, source_id, account_number, currency_iso, observed_at, origin)
VALUES ('bank', 'A:USD', 'A', 'USD', '2026-02-01 00:00Z', 'e3:1')""",
    """
INSERT INTO receivables.bank_lines (connection, source_id, account_source_id, amount, currency_iso, status, date_booked,
    remittance_text, words, file, observed_at, origin)
SELECT 'bank', source_id, 'A:USD', amount, 'USD', 'booked', date_arrival, 'STRIPE PAYOUT',
       jsonb_build_array('STRIPE', regexp_replace(upper(COALESCE(trace_id, 'none')), '[^0-9A-Z]', '', 'g')), 'f',
       observed_at, 'e3:1'
FROM receivables.payouts
UNION ALL
SELECT 'bank', 'other ' || n, 'A:USD', round((2000 + n::bigint * 7919 %% 900000) / 100.0, 2), 'USD', 'booked',
       date '2026-01-01' + n %% 28, 'INVOICE ' || n, jsonb_build_array('INVOICE', 'INV' || n), 'f', '2026-02-01 00:00Z',
       'e3:1'
FROM generate_series(1, %(lines)s - %(payouts)s) n""",
    """
INSERT INTO receivables.bank_statements (connection, source_id, account_source_id, kind, ref, currency_iso, date_from,
    date_to, balance_opening, balance_closing, entries, amount_booked, file, observed_at, origin)
SELECT 'bank', 'S1', 'A:USD', 'statement', 'S1', 'USD', '2026-01-01', '2026-01-31', 0, sum(amount), count(*),
       sum(amount), 'f', '2026-02-01 00:00Z', 'e3:1'
FROM receivables.bank_lines""",
    """
INSERT INTO receivables.balance_transactions (connection, source_id, type, reporting_category, amount, fee, net,
    currency_iso, created_at, source_kind, source_object_id, observed_at, origin)
SELECT 'stripe', balance_transaction_source_id, 'payout', 'payout', -amount, 0, -amount, 'USD', created_at, 'payout',
       source_id, created_at, 'e1:1'
FROM receivables.payouts""",
    """
INSERT INTO receivables.payout_members (connection, source_id, payout_source_id, balance_transaction_source_id, type,
    reporting_category, amount, fee, net, currency_iso, observed_at, origin)
SELECT 'stripe', source_object_id || '|' || source_id, source_object_id, source_id, type, reporting_category, amount,
       fee, net, 'USD', observed_at, 'e1:1'
FROM receivables.balance_transactions WHERE type = 'payout'""",
    """
INSERT INTO receivables.balance_snapshots (connection, source_id, taken_at, currency_iso, available, pending,
    observed_at, origin)
SELECT 'stripe', 'b' || day || ':USD', at, 'USD', COALESCE((
           SELECT sum(net) FROM receivables.balance_transactions WHERE created_at <= at), 0), 0, at, 'e1:1'
FROM generate_series(1, 10) day, LATERAL (SELECT timestamptz '2026-01-01 00:00Z' + day * interval '1 day' AS at) d""",
    "DROP TABLE public.bench_items",
)
