"""How a fold's new states reach `receivables`: audit, insert, update, delete, balance moves.

Everything works on the temp tables of fold.py (`fold_state`, `late_ids`, `late_steps`); it decides nothing itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from kolleno_pipelines.storage import fold_sql
from kolleno_pipelines.storage.fold_specs import EntitySpec

Execute = Callable[..., "psycopg.Cursor[Any]"]

_UNAUDITED = {"kind", "owner_kind", "from_kind", "to_kind", "customer_connection", "contact_source_id"}


def _state_columns(spec: EntitySpec) -> list[str]:
    extra = ["extra"] if spec.keeps_extra else []
    return [target.name for target in spec.targets] + extra


def _written_columns(spec: EntitySpec) -> list[str]:
    removed = ["removed_at"] if spec.link_kind else []
    first_seen = ["first_seen_at"] if spec.keeps_first_seen else []
    return [*_state_columns(spec), *removed, *first_seen, "observed_at", "origin"]


def _join(spec: EntitySpec) -> str:
    return f"r.source_id = n.source_id AND r.connection = %(connection)s AND {spec.scope}"


def audit(execute: Execute, spec: EntitySpec) -> int:
    """Write one audit entry per field in which `fold_state` differs from the record stored; returns their number."""
    follows = {target.name for target in spec.targets if target.follows}
    fields = [name for name in _state_columns(spec) if name not in _UNAUDITED | follows]
    values = ", ".join(f"('{name}', r.{name}::text, n.{name}::text)" for name in fields)
    return execute(
        "INSERT INTO receivables.audit"
        " (connection, entity, source_id, field, old_value, new_value, version_at, origin, run_id)"
        " SELECT %(connection)s, %(entity)s, n.source_id, c.field, c.old, c.new, n.observed_at, n.origin, %(run_id)s"
        # Most records say what they said: their fields are not laid out one by one.
        f" FROM fold_state n JOIN {spec.table} r ON {_join(spec)}"
        f" AND ({_tuple('r', fields)}) IS DISTINCT FROM ({_tuple('n', fields)})"
        f" CROSS JOIN LATERAL (VALUES {values}) c (field, old, new) WHERE c.old IS DISTINCT FROM c.new",
        entity=spec.entity,
    ).rowcount


def update_changed(execute: Execute, spec: EntitySpec) -> int:
    """Bring stored records to the state of `fold_state`; returns how many changed in a field (not only in version)."""
    content = _state_columns(spec)
    written = _written_columns(spec)
    differs = f"({_tuple('r', content)}) IS DISTINCT FROM ({_tuple('n', content)})"
    row = execute(f"SELECT count(*) FROM fold_state n JOIN {spec.table} r ON {_join(spec)} WHERE {differs}").fetchone()
    sets = ", ".join(f"{name} = n.{name}" for name in written)
    # A replaced content may say the same on another line: that is another origin.
    versioned = [*content, *(name for name in written if name in {"first_seen_at", "observed_at", "origin"})]
    execute(
        f"UPDATE {spec.table} r SET {sets}, loaded_at = clock_timestamp() FROM fold_state n WHERE {_join(spec)}"
        f" AND ({_tuple('r', versioned)}) IS DISTINCT FROM ({_tuple('n', versioned)})"
    )
    return int(row[0]) if row else 0


def _tuple(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def insert_state(execute: Execute, spec: EntitySpec) -> int:
    """Insert the records of `fold_state` that are not stored yet; returns their number."""
    names = _written_columns(spec)
    into, values = list(names), [f"n.{name}" for name in names]
    if spec.entity == "customers":
        into.append("group_source_id")
        values.append(fold_sql.group_without_parent("n.parent_source_id", "n.source_id"))
    return execute(
        f"INSERT INTO {spec.table} (connection, source_id, {', '.join(into)})"
        f" SELECT %(connection)s, n.source_id, {', '.join(values)} FROM fold_state n"
        f" WHERE NOT EXISTS (SELECT FROM {spec.table} r WHERE {_join(spec)})"
    ).rowcount


def delete_gone(execute: Execute, spec: EntitySpec) -> list[str]:
    """Remove records of `late_ids` that no live row names any more, leaving an audit entry; returns their ids."""
    rows = execute(
        f"DELETE FROM {spec.table} r USING late_ids l WHERE r.source_id = l.source_id"
        f" AND r.connection = %(connection)s AND {spec.scope}"
        " AND NOT EXISTS (SELECT FROM fold_state n WHERE n.source_id = r.source_id)"
        " RETURNING r.source_id, r.origin, to_jsonb(r)::text"
    ).fetchall()
    for source_id, origin, record in rows:
        execute(
            "INSERT INTO receivables.audit"
            " (connection, entity, source_id, field, old_value, new_value, origin, run_id)"
            " VALUES (%(connection)s, %(entity)s, %(source_id)s, 'withdrawn', %(record)s, NULL, %(origin)s,"
            " %(run_id)s)",
            entity=spec.entity,
            source_id=source_id,
            record=record,
            origin=origin,
        )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class _Moves:
    """Where the moves of an entity are kept, and what moves: over `n` and `r` (fast path), over `late_steps`."""

    table: str
    kind_column: str
    kind: str
    delta_column: str
    value: str
    condition: str
    step: str


def _moves_of(spec: EntitySpec) -> _Moves | None:
    if spec.kind:
        stated = "n.balance_source = 'stated' AND r.balance_source = 'stated'"
        value = "({0}.amount - {0}.balance)"
        return _Moves("balance_moves", "kind", spec.kind, "settled_delta", value, stated, "settled")
    if spec.link_kind:
        return _Moves("allocation_moves", "from_kind", spec.link_kind, "amount_delta", "{0}.amount", "true", "applied")
    return None


def add_moves(execute: Execute, spec: EntitySpec) -> None:
    """Record by how much `amount - balance`, or an allocation's amount, moves with the states to be written (fast)."""
    moves = _moves_of(spec)
    if moves is None:
        return
    new, old = moves.value.format("n"), moves.value.format("r")
    execute(
        f"INSERT INTO receivables.{moves.table} (connection, {moves.kind_column}, source_id, moved_at,"
        f" {moves.delta_column}) SELECT %(connection)s, %(kind)s, n.source_id, n.observed_at, {new} - {old}"
        f" FROM fold_state n JOIN {spec.table} r ON {_join(spec)} WHERE {moves.condition} AND {new} <> {old}"
        f" ON CONFLICT (source_id, {moves.kind_column}, connection, moved_at) DO UPDATE"
        f" SET {moves.delta_column} = {moves.table}.{moves.delta_column} + excluded.{moves.delta_column},"
        " loaded_at = clock_timestamp()",
        kind=moves.kind,
    )


def replace_moves(execute: Execute, spec: EntitySpec) -> None:
    """Make the moves of `late_ids` those of `late_steps`; rows already right are not touched."""
    moves = _moves_of(spec)
    if moves is None:
        return
    execute("DROP TABLE IF EXISTS late_moves")
    execute(
        "CREATE TEMP TABLE late_moves ON COMMIT DROP AS SELECT source_id, name_time AS moved_at, sum(delta) AS delta"
        f" FROM (SELECT source_id, name_time, {moves.step} - lag({moves.step})"
        " OVER (PARTITION BY source_id ORDER BY version) AS delta FROM late_steps) d"
        " WHERE delta <> 0 GROUP BY source_id, name_time"
    )
    execute(
        f"DELETE FROM receivables.{moves.table} m USING late_ids l WHERE m.source_id = l.source_id"
        f" AND m.{moves.kind_column} = %(kind)s AND m.connection = %(connection)s AND NOT EXISTS (SELECT"
        " FROM late_moves n WHERE n.source_id = m.source_id AND n.moved_at = m.moved_at"
        f" AND n.delta = m.{moves.delta_column})",
        kind=moves.kind,
    )
    execute(
        f"INSERT INTO receivables.{moves.table} (connection, {moves.kind_column}, source_id, moved_at,"
        f" {moves.delta_column}) SELECT %(connection)s, %(kind)s, source_id, moved_at, delta FROM late_moves"
        " ON CONFLICT DO NOTHING",
        kind=moves.kind,
    )
