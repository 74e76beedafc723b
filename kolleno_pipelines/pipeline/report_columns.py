"""Which columns each report has, for one that has no rows. What stands in them does not belong here."""

from __future__ import annotations

from kolleno_pipelines.schemas.model_columns import RESULTS
from kolleno_pipelines.schemas.payout_columns import PROVIDER_RESULTS

#: Columns that a report leaves out of its result, and those that it adds at the end.
_WITHOUT = {"differences": {"accepted_amount", "accepted_at", "resolved_on"}, "ageing": {"day"}}
_ADDED = {
    "agreement": ["breaks", "gaps"],
    "payouts": ["lines"],
    "balance-proofs": ["exceptions"],
    "control-totals": ["breaks", "accounts"],
    "roll-forward": ["unexplained_documents"],
    "differences": ["age_days"],
}


def report_columns(name: str, *, by_customer: bool = False) -> list[str]:
    """Return the columns of a report in their order; `by_customer` is for ageing."""
    if name == "charges":  # charges are counted
        return ["connection", "currency_iso", "outcome", "charges", "amount", "surcharge_amount", "paid", "breaks"]
    stored = [column.name for column in (RESULTS | PROVIDER_RESULTS)[name.replace("-", "_")]]
    columns = [column for column in stored if column not in _WITHOUT.get(name, ())] + _ADDED.get(name, [])
    if name == "agreement":  # customers are summed
        return [*columns[:2], columns[4], "customers", *columns[5:]]
    if by_customer:
        columns.insert(1, "customer_source_id")
    return columns
