"""The report `payout_reconciliation.itemized.5` as CSV: the members of automatic payouts in major units. No HTTP.

It is a second view of what the API tells in minor units, and is written from the account itself, whatever a tamper
lets the API answer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from kolleno_pipelines.sandbox.stripe.book import Json, Kind, moment_of
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import exponent, major
from kolleno_pipelines.sandbox.stripe.payouts import members_of

COLUMNS = (
    *("automatic_payout_id", "automatic_payout_effective_at"),
    *("balance_transaction_id", "created_utc", "created", "available_on_utc", "available_on"),
    *("currency", "gross", "fee", "net", "reporting_category", "source_id", "description"),
    *("customer_facing_amount", "customer_facing_currency", "automatic_payout_effective_at_utc"),
    *("customer_id", "customer_email", "customer_name"),
    *("charge_id", "payment_intent_id", "charge_created_utc", "charge_created"),
    *("payment_method_type", "dispute_reason"),
)
#: What the dashboard puts into a file unless told otherwise: no moment in UTC, no charge.
DASHBOARD_COLUMNS = (
    *("automatic_payout_id", "automatic_payout_effective_at", "balance_transaction_id", "created", "available_on"),
    *("currency", "gross", "fee", "net", "reporting_category", "description"),
)
_METADATA = "payment_metadata["


def payout_reconciliation(
    ledger: Ledger,
    now: datetime,
    start: datetime,
    end: datetime,
    *,
    currency: str = "",
    payout: str = "",
    timezone: str = "Etc/UTC",
    columns: Iterable[str] = COLUMNS,
) -> str:
    """Return the report as a file's text, as it is at `now`.

    start and end: which payouts by their arrival, the end exclusive. timezone: of the moments without `_utc`; it does
    not move the interval. columns: those of `COLUMNS`, and `payment_metadata[key]` for any key. Raises ValueError for
    another column.
    """
    chosen = tuple(columns)
    wrong = [each for each in chosen if each not in COLUMNS and not each.startswith(_METADATA)]
    if wrong:
        message = f"The report has no column {wrong[0]}."
        raise ValueError(message)
    text = io.StringIO()
    writer = csv.DictWriter(text, chosen, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for each in ledger.book.records(Kind.PAYOUTS, now)[::-1]:
        arrival = moment_of(each["arrival_date"])
        is_wanted = each["automatic"] and start <= arrival < end and each["reconciliation_status"] == "completed"
        if is_wanted and each["currency"] == (currency or each["currency"]) and each["id"] == (payout or each["id"]):
            rows = (row for row in members_of(ledger, each["id"], now) if row["id"] != each["balance_transaction"])
            writer.writerows(_cells(ledger, each, row, now, ZoneInfo(timezone), chosen) for row in rows)
    return text.getvalue()


def _cells(
    ledger: Ledger, payout: Json, row: Json, now: datetime, zone: ZoneInfo, columns: tuple[str, ...]
) -> dict[str, str]:
    currency = row["currency"]
    source = ledger.book.get(row["source"], now) if row["source"] else None
    charge = _charge_of(ledger, source, now)
    cells = {
        **_moments("automatic_payout_effective_at", payout["arrival_date"], zone),
        **_moments("created", row["created"], zone),
        **_moments("available_on", row["available_on"], zone),
        **{
            name: _amount(row[field], currency) for name, field in (("gross", "amount"), ("fee", "fee"), ("net", "net"))
        },
        "automatic_payout_id": payout["id"],
        "balance_transaction_id": row["id"],
        "currency": currency,
        "reporting_category": row["reporting_category"],
        "source_id": row["source"] or "",
        "description": row["description"] or "",
    }
    if source is not None and source["object"] in {"charge", "refund", "dispute"}:
        sign = -1 if row["amount"] < 0 else 1
        cells["customer_facing_amount"] = _amount(sign * source["amount"], source["currency"])
        cells["customer_facing_currency"] = source["currency"]
    if source is not None and source["object"] == "dispute":
        cells["dispute_reason"] = source["reason"]
    return cells | (_charge_cells(ledger, charge, now, zone, columns) if charge else {})


def _charge_of(ledger: Ledger, source: Json | None, now: datetime) -> Json | None:
    """The charge that a row is about, directly or through a refund or dispute."""
    if source is None or source["object"] == "charge":
        return source
    return ledger.book.get(source["charge"], now) if source["object"] in {"refund", "dispute"} else None


def _charge_cells(
    ledger: Ledger, charge: Json, now: datetime, zone: ZoneInfo, columns: tuple[str, ...]
) -> dict[str, str]:
    customer = ledger.book.get(charge["customer"], now) if charge["customer"] else None
    cells = {
        "charge_id": charge["id"],
        "payment_intent_id": charge["payment_intent"] or "",
        **_moments("charge_created", charge["created"], zone),
        "payment_method_type": charge["payment_method_details"]["type"],
        "customer_id": charge["customer"] or "",
        "customer_name": (customer or {}).get("name") or "",
        "customer_email": (customer or {}).get("email") or "",
    }
    keys = [each for each in columns if each.startswith(_METADATA)]
    return cells | {each: charge["metadata"].get(each[len(_METADATA) : -1], "") for each in keys}


def _amount(amount: int, currency: str) -> str:
    return f"{major(amount, currency):.{exponent(currency)}f}"


def _moments(name: str, seconds: int, zone: ZoneInfo) -> dict[str, str]:
    moment = moment_of(seconds)
    return {f"{name}_utc": _text(moment), name: _text(moment.astimezone(zone))}


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
