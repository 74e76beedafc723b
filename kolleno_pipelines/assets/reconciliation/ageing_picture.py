"""The ageing of a day as a picture: an SVG inside the metadata, one row of bars per currency. No figure is computed."""

import base64
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from html import escape

from kolleno_pipelines.assets.presentation import amount_shown
from kolleno_pipelines.pipeline.result_facts import DayAmount

_WIDTH, _LABEL, _BAR, _GAP, _TITLE = 720, 110, 20, 6, 34
_AMOUNT = 150
_COLOURS = ("#3d8361", "#8db255", "#e3b341", "#e0823d", "#c0392b")
_UNAPPLIED = "#4a78b0"


def ageing_picture(rows: Sequence[DayAmount], day: date) -> str:
    """Return markdown that shows the picture; bars are scaled within each currency."""
    parts, top = [], _GAP
    for currency in sorted({row.currency_iso for row in rows}):
        own = sorted((row for row in rows if row.currency_iso == currency), key=lambda row: bucket_place(row.line))
        parts.append(f'<text x="8" y="{top + 20}" font-weight="bold">{escape(currency)} on {day}</text>')
        top += _TITLE
        most = max((abs(row.amount) for row in own), default=Decimal(0))
        for row in own:
            parts.append(_bar(row, most, top))
            top += _BAR + _GAP
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top + _GAP}"'
        f' font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>"
    )
    return f"![ageing of {day}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def bucket_place(bucket: str) -> tuple[int, int]:
    """Return the place of a bucket in the order of people: not due, by days late, unapplied."""
    from kolleno_pipelines.schemas.results import NOT_DUE, UNAPPLIED  # loads pyarrow

    if bucket == NOT_DUE:
        return (0, 0)
    if bucket == UNAPPLIED:
        return (2, 0)
    return (1, int(bucket.rstrip("+").partition("-")[0]))


def _bar(row: DayAmount, most: Decimal, top: int) -> str:
    room = _WIDTH - _LABEL - _AMOUNT
    width = int(room * abs(row.amount) / most) if most else 0
    place = bucket_place(row.line)
    colour = _UNAPPLIED if place[0] == 2 else _COLOURS[min(place[1] // 30 + place[0], len(_COLOURS) - 1)]
    return (
        f'<text x="8" y="{top + 15}">{escape(row.line)}</text>'
        f'<rect x="{_LABEL}" y="{top}" width="{max(width, 1)}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{_LABEL + width + 8}" y="{top + 15}">{amount_shown(row.amount, row.currency_iso)}</text>'
    )
