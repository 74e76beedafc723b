"""How Xero writes values: dates in every form, rates the other way round, empty texts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from kolleno_pipelines.connectors.xero.fields import home_amount, home_rate, moment_of, moments, plain_days, stated

FORMS = {
    "/Date(1439434356790)/": datetime(2015, 8, 13, 2, 52, 36, 790000, UTC),
    "/Date(1419937200000+0000)/": datetime(2014, 12, 30, 11, tzinfo=UTC),
    "/Date(1419937200000+1300)/": datetime(2014, 12, 30, 11, tzinfo=UTC),  # the offset moves no instant
    "/Date(-86400000+0000)/": datetime(1969, 12, 31, tzinfo=UTC),
    "/Date(-1)/": datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
    "/Date(0+0000)/": None,
    "/Date(0)/": None,
}


def test_moments_are_instants() -> None:
    texts = pa.array([*FORMS, "", None], pa.string())
    assert moments(texts).to_pylist() == [*FORMS.values(), None, None]
    assert [moment_of(text) for text in FORMS] == list(FORMS.values())


@pytest.mark.parametrize("text", ["2014-12-31", "/Date()/", "/Date(1+00)/", "x/Date(1)/", "/Date(12345678901234567)/"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no date as Xero writes it"):
        moment_of(text)
    for column_of in (moments, plain_days):
        with pytest.raises(pa.ArrowInvalid, match="no date as Xero writes it"):
            column_of(pa.array(["/Date(1)/", text]))


def test_a_plain_day_is_that_of_the_zone_that_it_names() -> None:
    texts = {
        "/Date(1419984000000+0000)/": date(2014, 12, 31),
        "/Date(1419984000000)/": date(2014, 12, 31),
        "/Date(1419937200000+1300)/": date(2014, 12, 31),
        "/Date(1420002000000-0500)/": date(2014, 12, 31),
        "/Date(1419937200000+0000)/": date(2014, 12, 30),
        "/Date(-86400000+0000)/": date(1969, 12, 31),
        "/Date(-86400001+0000)/": date(1969, 12, 30),
        "/Date(0+0000)/": None,
    }
    assert plain_days(pa.array(texts)).to_pylist() == list(texts.values())


def test_a_day_as_text_beside_it_counts_but_for_no_date_at_all() -> None:
    texts = pa.array(["/Date(1419937200000+0000)/", "/Date(0+0000)/", None, "", "/Date(86400000)/"], pa.string())
    strings = pa.array(["2014-12-31T00:00:00", "1970-01-01T00:00:00", "2014-12-31 00:00:00", "", None], pa.string())
    days = [date(2014, 12, 31), None, date(2014, 12, 31), None, date(1970, 1, 2)]
    assert plain_days(texts, strings).to_pylist() == days


def test_rates_are_turned_round() -> None:
    rates = pa.array([Decimal("0.70"), Decimal(1), Decimal(0), None, Decimal(-1)], pa.decimal128(38, 24))
    assert home_rate(rates).to_pylist() == [Decimal("1.428571428571428571"), Decimal(1), None, None, None]
    hundred = pa.array([Decimal(100)] * 5, pa.decimal128(20, 6))
    assert home_amount(hundred, rates).to_pylist() == [Decimal("142.86"), Decimal(100), None, None, None]


def test_the_largest_and_smallest_amounts_are_exact() -> None:
    amounts = [Decimal("99999999999999.99"), Decimal("0.01"), Decimal("-36.00"), Decimal("1.005")]
    rates = [Decimal(1), Decimal("0.31"), Decimal("0.72"), Decimal(1)]
    found = home_amount(pa.array(amounts, pa.decimal128(20, 6)), pa.array(rates, pa.decimal128(38, 24)))
    assert found.to_pylist() == [amounts[0], Decimal("0.03"), Decimal("-50.00"), Decimal("1.01")]


def test_empty_texts_say_nothing() -> None:
    assert stated(pa.array(["", None, " ", "x"])).to_pylist() == [None, None, " ", "x"]


def test_a_date_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond the calendar"):
        moment_of("/Date(999999999999999+0000)/")
