"""What the name of a report says that was downloaded from Stripe's dashboard. What the file holds is payout_report.py.

The dashboard names it by currency, first and last day, both included, and the time zone, whose slashes become dashes:
`Itemized_payout_reconciliation_USD_2026-01-01_to_2026-01-31_America-Chicago.csv`.
"""

from __future__ import annotations

import re
from datetime import date
from zoneinfo import available_timezones

from kolleno_pipelines.schemas.payout_report import ReportName

# A browser adds " (1)" to a name that it has already.
_NAME = re.compile(
    r"itemized_payout_reconciliation_([a-z]{3})_(\d{4}-\d\d-\d\d)_to_(\d{4}-\d\d-\d\d)_([a-z0-9_+-]+?)"
    r"( ?\(\d+\))?\.csv",
    re.IGNORECASE,
)


def report_name(name: str) -> ReportName | None:
    """Return what a file's name says; None where it was named otherwise."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    zones = {zone.replace("/", "-").lower(): zone for zone in available_timezones()}
    zone = zones.get(found[4].lower())
    try:
        first, last = date.fromisoformat(found[2]), date.fromisoformat(found[3])
    except ValueError:
        return None
    return None if zone is None or last < first else ReportName(found[1].upper(), first, last, zone)
