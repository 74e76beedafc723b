"""A status word means the same to validation and to the fold: what the one lets pass, the other maps."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.connectors.sftp.cells import Fault, status_of
from kolleno_pipelines.schemas.sftp_tables import INVOICES
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, normalise_status
from kolleno_pipelines.storage import fold_sql

STATUS = next(column for column in INVOICES.columns if column.name == "status")
_GAPS = st.sampled_from([" ", "-", "_", "  ", "\t", "\u00a0", "\u2003", "\n", "", "--", " -"])
_EDGES = st.sampled_from(["", " ", "  ", "\t", "\u00a0", "\u200b", "\n", "-", "_"])


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A known word with other white space, case and letters that only some alphabets lower."""
    parts = draw(st.sampled_from(sorted(SFTP_STATUSES))).split("_")
    text = parts[0] + "".join(draw(_GAPS) + part for part in parts[1:])
    change = draw(st.sampled_from([str, str.upper, str.title, lambda t: t.replace("i", "\u0130"), str.swapcase]))
    return draw(_EDGES) + str(change(text)) + draw(_EDGES)


@pytest.fixture(scope="module")
def conn(postgres_url: str) -> psycopg.Connection[tuple[str, str, str]]:
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened  # type: ignore[misc]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(word=spellings() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))
def test_validation_and_fold_read_status_words_alike(conn: psycopg.Connection[tuple[str, str, str]], word: str) -> None:
    mapped = f"{fold_sql._normalised('w')}, {fold_sql._posting_of('w')}, {fold_sql._collection_of('w')}"
    row = conn.execute(f"SELECT {mapped} FROM (VALUES (%s::text)) v (w)".encode(), [word]).fetchone()
    assert row is not None
    normalised, posting, collection = row
    is_read = not isinstance(status_of(word, STATUS), Fault)
    assert is_read == (normalised in SFTP_STATUSES)
    if is_read:
        meaning = SFTP_STATUSES[normalise_status(word)]
        assert (posting, collection) == (meaning.posting.value, meaning.collection.value)


@pytest.mark.parametrize("word", ["void\t", "deleted\u00a0", "pending  approval"])
def test_a_word_that_the_fold_does_not_know_is_reported(word: str) -> None:
    assert isinstance(status_of(word, STATUS), Fault)
