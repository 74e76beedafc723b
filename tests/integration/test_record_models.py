"""The models of our entities and the database say the same: what one takes, the other takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.connectors.payload_blocks import normalise_block
from kolleno_pipelines.schemas.record_models import validate
from kolleno_pipelines.schemas.record_rules import VALUE_RULES
from kolleno_pipelines.schemas.records import RECORD_TABLES
from kolleno_pipelines.storage.extracts import Landed, note_landed, note_normalised
from kolleno_pipelines.storage.record_fold import fold_records
from kolleno_pipelines.storage.record_rows import put_rows
from tests.record_cells import rows_of, said

World = psycopg.Connection[Any]
_SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with psycopg.connect(database) as conn:
        yield conn


def _unruled_checks(world: World) -> set[str]:
    """Columns of our entities, `entity.column`, that a CHECK constraint names and no rule does."""
    named = world.execute(
        """
        SELECT c.relname, a.attname
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(k.conkey)
        WHERE k.contype = 'c' AND c.relnamespace IN ('receivables'::regnamespace, 'normalised'::regnamespace)
        """
    ).fetchall()
    return {
        f"{entity}.{column}"
        for entity, column in named
        if entity in RECORD_TABLES and column not in VALUE_RULES.get(entity, {})
    }


def test_what_the_database_checks_has_a_rule(world: World) -> None:
    assert _unruled_checks(world) == set()
    world.execute("ALTER TABLE receivables.invoices ADD CHECK (po_number <> '0'), ADD CHECK (exchange_rate > 0)")
    assert _unruled_checks(world) == {"invoices.po_number"}


@pytest.mark.parametrize("entity", list(RECORD_TABLES))
def test_what_the_database_must_have_is_required(world: World, entity: str) -> None:
    needed = world.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnotnull AND attnum > 0",
        [f"normalised.{entity}"],
    ).fetchall()
    table = RECORD_TABLES[entity]
    assert {name for (name,) in needed} == {"extract_id", "line", "source_id", *table.required}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_passes_the_models_is_taken_by_the_database(world: World, data: st.DataObject) -> None:
    entities = data.draw(st.sets(st.sampled_from(sorted(RECORD_TABLES)), min_size=1, max_size=3), label="entities")
    payloads = [{entity: [data.draw(rows_of(entity), label=entity)]} for entity in sorted(entities)]
    block = said(*payloads)
    judged = normalise_block(lambda _extract, _table: block, "things", block.payloads)
    assert judged.quarantined == []
    for entity, rows in judged.rows.items():
        validate(entity, rows)
    with world.transaction(force_rollback=True):
        landed = Landed("api", "things", "changes", _SEEN.date(), _SEEN, "0" * 64, 1, len(payloads))
        extract = note_landed(world, landed)
        put_rows(world, extract, judged)
        for entity in entities:
            kept = world.execute(f"SELECT count(*) FROM normalised.{entity}".encode()).fetchone()
            assert kept == (1,)
        note_normalised(world, extract.id, 0)
        fold_records(world, "api")
