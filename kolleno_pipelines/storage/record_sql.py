"""SQL of the fold of records: an owner's versions, its rows in each, and the state that the newest of them make.

Pure text over the temp tables `touched`, `versions`, `owners`, `record_rows` of record_fold.py. Nothing is run here.
"""

from kolleno_pipelines.schemas.records import HOME, RECORD_TABLES, Ending, Parent
from kolleno_pipelines.storage.record_specs import HOME_CURRENCY, RecordSpec

CREATE_TABLES = (
    "DROP TABLE IF EXISTS touched, versions, owners",
    "CREATE TEMP TABLE touched (kind text, source_id text, round integer) ON COMMIT DROP",
    "CREATE TEMP TABLE versions (extract_id integer, line integer, o_kind text, o_id text, version integer,"
    " version_at timestamptz, is_deleted boolean) ON COMMIT DROP",
    "CREATE TEMP TABLE owners (o_kind text, o_id text, content_version integer, is_deleted boolean,"
    " deleted_at timestamptz) ON COMMIT DROP",
)

#: Owners whose payloads came since the last fold, or were normalised anew.
TOUCH_PENDING = """
SELECT p.kind, p.source_id FROM normalised.payloads p JOIN raw.extracts e ON e.id = p.extract_id
WHERE e.connection = %(connection)s AND e.status = 'normalised'
UNION SELECT kind, source_id FROM normalised.owners_to_fold WHERE connection = %(connection)s"""

#: A newer or equal version wins: modified time at the source, then time observed, then content (docs/model.md).
INSERT_VERSIONS = """
INSERT INTO versions
SELECT p.extract_id, p.line, p.kind, p.source_id,
       row_number() OVER (PARTITION BY p.kind, p.source_id
                          ORDER BY p.modified_at NULLS FIRST, p.observed_at, p.digest, p.extract_id, p.line),
       COALESCE(p.modified_at, p.observed_at), p.is_deleted
FROM normalised.payloads p JOIN touched t USING (kind, source_id)
WHERE p.connection = %(connection)s AND t.round = %(round)s"""

INSERT_OWNERS = """
INSERT INTO owners
SELECT o_kind, o_id, content_version, COALESCE(max(version) > content_version, true),
       min(version_at) FILTER (WHERE version > COALESCE(content_version, 0))
FROM (SELECT v.*, max(version) FILTER (WHERE NOT v.is_deleted) OVER (PARTITION BY o_kind, o_id) AS content_version
      FROM versions v JOIN touched t ON t.kind = v.o_kind AND t.source_id = v.o_id WHERE t.round = %(round)s) v
GROUP BY o_kind, o_id, content_version"""


def parent_exists(parent: Parent, row: str = "r") -> str:
    """Return SQL that is true when a parent of row `row` is known, or none is asked for."""
    if parent == HOME:
        return f"({row}.currency_iso IS NOT NULL OR {HOME_CURRENCY} IS NOT NULL)"
    own = "" if parent.entity != "payments" or not parent.when else f" AND p.kind = '{parent.when[1]}'"
    named = f"p.source_id = {row}.{parent.column}"
    if parent.entity == "journals":
        named = f"{row}.{parent.column} IN (p.source_id, p.entry_source_id)"
    exists = f"EXISTS (SELECT FROM receivables.{parent.entity} p WHERE {named} AND p.connection = %(connection)s{own})"
    return f"({row}.{parent.when[0]} <> '{parent.when[1]}' OR {exists})" if parent.when else exists


def create_rows(spec: RecordSpec) -> str:
    """Return the statement that lays out `record_rows`: each touched owner's rows of one entity, version by version."""
    table = spec.source
    columns = list(table.columns)
    content = ", ".join(f"r.{name}" for name in columns)
    parents = " AND ".join(parent_exists(parent) for parent in table.parents) or "true"
    return f"""
CREATE TEMP TABLE record_rows ON COMMIT DROP AS
SELECT DISTINCT ON (r.source_id, v.version) r.*, v.o_kind, v.o_id, v.version, v.version_at,
       'e' || r.extract_id || ':' || r.line AS origin, ROW({content})::text AS content, {parents} AS has_parents
FROM normalised.{table.entity} r JOIN versions v USING (extract_id, line)
WHERE {_only(spec)}
ORDER BY r.source_id, v.version"""


def _only(spec: RecordSpec) -> str:
    return f"r.{spec.only[0]} = '{spec.only[1]}'" if spec.only else "true"


#: Records to fold: those of `record_rows`, and those of which rows were withdrawn.
CREATE_IDS = """
CREATE TEMP TABLE late_ids ON COMMIT DROP AS
SELECT source_id FROM record_rows UNION SELECT source_id FROM normalised.records_to_fold
WHERE connection = %(connection)s AND entity = %(entity)s"""


def create_state(spec: RecordSpec) -> str:
    """Return the statement that makes `fold_state`: the final state of each record of `record_rows`."""
    columns = ", ".join(f"{target.expression} AS {target.name}" for target in spec.targets)
    extra = ", NULLIF(s.extra, '{}') AS extra" if spec.keeps_extra else ""
    removed = ", CASE WHEN s.has_ended OR s.amount = 0 THEN s.ended_at END AS removed_at" if spec.link_kind else ""
    first_seen = ", s.first_seen_at" if spec.keeps_first_seen else ""
    return f"""
CREATE TEMP TABLE fold_state ON COMMIT DROP AS
SELECT s.source_id, {columns}{extra}{removed}{first_seen}, GREATEST(s.changed_at, s.ended_at) AS observed_at,
       s.changed_by AS origin
FROM (
    SELECT c.*, o.is_deleted, n.version < o.content_version AS has_ended,
           CASE WHEN o.is_deleted THEN o.deleted_at
                WHEN n.version < o.content_version THEN (
                    SELECT min(v.version_at) FROM versions v WHERE v.o_kind = c.o_kind AND v.o_id = c.o_id
                    AND v.version > n.version AND NOT v.is_deleted) END AS ended_at
    FROM ({_newest_rows()}) c
    JOIN (SELECT source_id, max(version) AS version FROM record_rows GROUP BY source_id) n USING (source_id)
    JOIN owners o ON o.o_kind = c.o_kind AND o.o_id = c.o_id
) s
WHERE {_stands(spec)}"""


def _newest_rows() -> str:
    """Return the newest row of each record whose parents are known, and the version in which it last changed."""
    return """
        SELECT DISTINCT ON (source_id) *, min(version_at) OVER (PARTITION BY source_id) AS first_seen_at,
               first_value(version_at) OVER newest_change AS changed_at,
               first_value(origin) OVER newest_change AS changed_by
        FROM (SELECT *, lag(content) OVER (PARTITION BY source_id ORDER BY version) IS DISTINCT FROM content AS changed
              FROM record_rows WHERE has_parents) steps
        WINDOW newest_change AS (PARTITION BY source_id ORDER BY changed DESC, version DESC)
        ORDER BY source_id, version DESC"""


def _stands(spec: RecordSpec) -> str:
    if spec.source.ending is Ending.GONE:
        return "NOT s.has_ended AND NOT s.is_deleted"
    if spec.entity == "journals":  # lines on other accounts move no receivables
        return (
            "EXISTS (SELECT FROM receivables.accounts a WHERE a.source_id = s.account_source_id"
            " AND a.connection = %(connection)s AND a.is_receivable)"
        )
    return "true"


def create_steps(spec: RecordSpec) -> str | None:
    """Return the statement that lays out `late_steps`, from which the moves are made; None where none are kept.

    An allocation that a version of its owner does not name has the amount 0 there.
    """
    if spec.kind:
        return """
CREATE TEMP TABLE late_steps ON COMMIT DROP AS
SELECT source_id, version, version_at AS name_time, amount - balance AS settled, NULL::numeric AS applied
FROM record_rows WHERE has_parents AND balance IS NOT NULL"""
    if spec.link_kind:
        return """
CREATE TEMP TABLE late_steps ON COMMIT DROP AS
SELECT k.source_id, v.version, v.version_at AS name_time, NULL::numeric AS settled, COALESCE(r.amount, 0) AS applied
FROM (SELECT source_id, o_kind, o_id, min(version) AS first FROM record_rows WHERE has_parents GROUP BY 1, 2, 3) k
JOIN versions v ON v.o_kind = k.o_kind AND v.o_id = k.o_id AND NOT v.is_deleted AND v.version >= k.first
LEFT JOIN record_rows r ON r.source_id = k.source_id AND r.version = v.version
WHERE r.source_id IS NULL OR r.has_parents"""
    return None


def park(spec: RecordSpec, parent: Parent) -> str:
    """Return the INSERT of the rows that lack a parent; those of older versions fold in their place, should it come."""
    parent_id = f"COALESCE(r.{parent.column}, '')"
    return f"""
INSERT INTO normalised.parked_rows
    (connection, extract_id, line, entity, source_id, code, parent_entity, parent_id, is_overtaken)
SELECT %(connection)s, r.extract_id, r.line, '{spec.entity}', r.source_id, '{parent.code}', '{parent.entity}',
       {parent_id}, r.version < o.content_version OR o.is_deleted
FROM record_rows r JOIN owners o ON o.o_kind = r.o_kind AND o.o_id = r.o_id
WHERE NOT {parent_exists(parent)}
ON CONFLICT DO NOTHING"""


def touch_unparked(spec: RecordSpec) -> str:
    """Return the SELECT of the owners of parked rows of an entity one of whose parents is known by now."""
    conditions = " OR ".join(
        f"(w.parent_entity = '{parent.entity}' AND {parent_exists(parent)})" for parent in spec.source.parents
    )
    return f"""
SELECT p.kind, p.source_id
FROM normalised.parked_rows w
JOIN normalised.{spec.entity} r ON r.extract_id = w.extract_id AND r.line = w.line AND r.source_id = w.source_id
JOIN normalised.payloads p ON p.extract_id = w.extract_id AND p.line = w.line
WHERE w.connection = %(connection)s AND w.entity = '{spec.entity}' AND ({conditions})"""


def touch_home_currency() -> str:
    """Return the SELECT of the owners of documents that state no currency of their own."""
    return " UNION ".join(
        f"SELECT p.kind, p.source_id FROM normalised.{table.entity} r"
        " JOIN normalised.payloads p USING (extract_id, line)"
        " WHERE p.connection = %(connection)s AND r.currency_iso IS NULL"
        for table in RECORD_TABLES.values()
        if HOME in table.parents
    ) + (
        " UNION SELECT p.kind, p.source_id FROM normalised.customers r"
        " JOIN normalised.payloads p USING (extract_id, line) WHERE p.connection = %(connection)s AND r.balance_is_home"
    )


#: Owners of journal lines whose account became one of receivables, or ceased to be one.
TOUCH_ACCOUNTS = """
SELECT p.kind, p.source_id
FROM normalised.journals r JOIN normalised.payloads p USING (extract_id, line)
JOIN receivables.accounts a ON a.source_id = r.account_source_id AND a.connection = p.connection
WHERE p.connection = %(connection)s AND a.is_receivable <> EXISTS (
    SELECT FROM receivables.journals j WHERE j.source_id = r.source_id AND j.connection = p.connection)"""
