"""Reads what of an API's payloads is not in the receivables: records that wait for a parent, payloads kept aside.

What waits of files is read in differences.py; making breaks of either does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.schemas.records import RECORD_TABLES
from kolleno_pipelines.storage.differences import ParkedRow


@dataclass(frozen=True)
class QuarantinedPayload:
    """The newest word about an object of the vendor, which could not be normalised; `origin` names its extract."""

    extract: str
    source_id: str
    origin: str
    line: int
    reason: str
    since: datetime


def parked_records(conn: psycopg.Connection[Any], connection: str) -> list[ParkedRow]:
    """Return every record whose newest row waits, with the parent that it waits for, one entry per pair."""
    waits = conn.execute(
        "SELECT DISTINCT entity FROM normalised.parked_rows WHERE connection = %s AND NOT is_overtaken ORDER BY 1",
        (connection,),
    ).fetchall()
    found: list[ParkedRow] = []
    for (entity,) in waits:
        columns = RECORD_TABLES[entity].columns
        facts = ", ".join(
            f"r.{name}" if name in columns else f"NULL::{kind}"
            for name, kind in (("amount", "numeric"), ("currency_iso", "text"), ("customer_source_id", "text"))
        )
        rows = conn.execute(
            f"""
SELECT DISTINCT ON (p.source_id, p.parent_entity, p.parent_id)
       p.entity, p.source_id, p.code, p.parent_entity, p.parent_id,
       EXISTS (SELECT FROM normalised.parked_rows q WHERE q.connection = p.connection AND NOT q.is_overtaken
               AND q.entity = p.parent_entity AND q.source_id = p.parent_id),
       {facts}, e.extract || ', extract ' || e.id, p.line,
       (SELECT min(COALESCE(v.modified_at, v.observed_at))
        FROM normalised.parked_rows o JOIN normalised.payloads v USING (extract_id, line)
        WHERE o.connection = p.connection AND o.entity = p.entity AND o.source_id = p.source_id
          AND o.parent_entity = p.parent_entity AND o.parent_id = p.parent_id),
       'extract'
FROM normalised.parked_rows p
JOIN normalised.{entity} r USING (extract_id, line, source_id)
JOIN raw.extracts e ON e.id = p.extract_id
WHERE p.connection = %s AND p.entity = %s AND NOT p.is_overtaken
ORDER BY p.source_id, p.parent_entity, p.parent_id, p.extract_id DESC, p.line DESC""",
            (connection, entity),
        )
        found += [ParkedRow(*row) for row in rows]
    return found


def quarantined(conn: psycopg.Connection[Any], connection: str) -> list[QuarantinedPayload]:
    """Return payloads kept aside of which no newer one was normalised, one entry per object of the vendor.

    `since` is when the vendor was asked. A payload whose id cannot be read is its own object.
    """
    rows = conn.execute(
        """
SELECT DISTINCT ON (e.extract, COALESCE(q.source_id, e.id || ':' || q.line))
       e.extract, COALESCE(q.source_id, 'line ' || q.line || ' of extract ' || e.id),
       e.extract || ', extract ' || e.id, q.line, q.reason, e.observed_at
FROM raw.quarantined_payloads q JOIN raw.extracts e ON e.id = q.extract_id
WHERE e.connection = %s AND NOT EXISTS (
    SELECT FROM normalised.payloads p JOIN raw.extracts n ON n.id = p.extract_id
    WHERE p.connection = e.connection AND p.source_id = q.source_id AND n.extract = e.extract
      AND (n.observed_at, n.id) > (e.observed_at, e.id))
ORDER BY e.extract, COALESCE(q.source_id, e.id || ':' || q.line), e.observed_at DESC, e.id DESC, q.line DESC""",
        (connection,),
    )
    return [QuarantinedPayload(*row) for row in rows]
