"""Pages that lead round are found. No HTTP here."""

from __future__ import annotations

import pytest

from kolleno_pipelines.connectors.errors import Permanent
from kolleno_pipelines.connectors.paging import Pages


def test_each_page_is_gone_to_once() -> None:
    pages = Pages("acme", "invoices")
    for position in (1, 1001, "1", "next"):
        pages.go_to(position)
    with pytest.raises(Permanent, match=r"^acme: The pages of invoices lead round: page 1001 came twice after 4 pages"):
        pages.go_to(1001)


def test_a_token_is_cut_and_escaped_where_it_is_told() -> None:
    pages = Pages("acme", "payments")
    pages.go_to("\x1b" + "x" * 500)
    with pytest.raises(Permanent) as refusal:
        pages.go_to("\x1b" + "x" * 500)
    assert len(str(refusal.value)) < 250
    assert str(refusal.value).isprintable()


def test_pages_that_never_repeat_have_an_end_too() -> None:
    pages = Pages("acme", "payments", most=3)
    for page in range(3):
        pages.go_to(page)
    with pytest.raises(Permanent, match="do not end: 3 were read"):
        pages.go_to(3)
