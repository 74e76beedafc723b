"""SQL of the fold of records: an owner's versions, its rows in each, and the state that the newest of them make.

Pure text over the temp tables `touched`, `versions`, `record_rows`, `late_ids` of record_fold.py. Nothing is run here.
"""

from collections.abc import Sequence

from kolleno_pipelines.schemas.records import HOME, RECORD_TABLES, Ending, Parent, RecordTable
from kolleno_pipelines.storage.record_specs import HOME_CURRENCY, RecordSpec

CREATE_TABLES = (
    "DROP TABLE IF EXISTS folding, queued, touched, versions",
    "CREATE TEMP TABLE touched (kind text, source_id text, round integer) ON COMMIT DROP",
    "CREATE TEMP TABLE versions (extract_id integer, line integer, o_kind text, o_id text, version integer,"
    " version_at timestamptz, next_at timestamptz, newest_version integer, content_version integer) ON COMMIT DROP",
    # What this fold closes is what it saw: nothing that comes meanwhile is noted as folded.
    "CREATE TEMP TABLE folding ON COMMIT DROP AS SELECT id FROM raw.extracts"
    " WHERE connection = %(connection)s AND status = 'normalised'",
    "CREATE TEMP TABLE queued (entity text, source_id text) ON COMMIT DROP",
    "WITH taken AS (DELETE FROM normalised.records_to_fold WHERE connection = %(connection)s"
    " RETURNING entity, source_id) INSERT INTO queued SELECT DISTINCT entity, source_id FROM taken",
)

#: Owners whose payloads came since the last fold.
TOUCH_PENDING = """
SELECT p.kind, p.source_id FROM normalised.payloads p JOIN folding f ON f.id = p.extract_id"""

#: Owners whose payloads were normalised anew.
TOUCH_QUEUED = """
WITH taken AS (DELETE FROM normalised.owners_to_fold WHERE connection = %(connection)s RETURNING kind, source_id)
INSERT INTO touched SELECT DISTINCT kind, source_id, 0 FROM taken"""

#: A newer or equal version wins: modified time at the source, then time observed, then the deletion (docs/model.md).
#: What states no time was as it is when it was observed.
#: `content_version` is the newest that is no deletion; none is 0.
INSERT_VERSIONS = """
INSERT INTO versions
SELECT extract_id, line, kind, source_id, version, version_at, next_at, max(version) OVER owner,
       COALESCE(max(version) FILTER (WHERE NOT is_deleted) OVER owner, 0)
FROM (SELECT v.*, row_number() OVER newest AS version, lead(version_at) OVER newest AS next_at
      FROM (SELECT p.*, COALESCE(p.modified_at, p.observed_at) AS version_at
            FROM normalised.payloads p JOIN touched t USING (kind, source_id)
            WHERE p.connection = %(connection)s AND t.round = %(round)s) v
      WINDOW newest AS (PARTITION BY kind, source_id
                        ORDER BY version_at, observed_at, is_deleted, digest, extract_id, line)) n
WINDOW owner AS (PARTITION BY kind, source_id)"""


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
SELECT r.*, v.o_kind, v.o_id, v.version, v.version_at, v.next_at, v.content_version,
       v.newest_version > v.content_version AS owner_is_deleted, 'e' || r.extract_id || ':' || r.line AS origin,
       CASE WHEN v.newest_version > 1 THEN ROW({content})::text END AS content, {parents} AS has_parents
FROM normalised.{table.entity} r JOIN versions v USING (extract_id, line)
WHERE {_only(spec)}"""


def specs_with_rows(specs: Sequence[RecordSpec]) -> str:
    """Return the SELECT of the names of those specs of which an owner of `versions` has rows."""
    return " UNION ALL ".join(
        f"SELECT '{spec.name}' WHERE EXISTS (SELECT FROM normalised.{spec.source.entity} r"
        f" JOIN versions v USING (extract_id, line) WHERE {_only(spec)})"
        for spec in specs
    )


def _only(spec: RecordSpec) -> str:
    return f"r.{spec.only[0]} = '{spec.only[1]}'" if spec.only else "true"


#: Records to fold, with how many rows they have: those of `record_rows`, and those of which rows were withdrawn.
CREATE_IDS = """
CREATE TEMP TABLE late_ids ON COMMIT DROP AS
SELECT source_id, count(version) AS row_count
FROM (SELECT source_id, version FROM record_rows
      UNION ALL SELECT source_id, NULL FROM queued WHERE entity = %(entity)s) named
GROUP BY source_id"""


def create_state(spec: RecordSpec) -> str:
    """Return the statement that makes `fold_state`: the final state of each record of `record_rows`."""
    columns = ", ".join(f"{target.expression} AS {target.name}" for target in spec.targets)
    extra = ", NULLIF(s.extra, '{}') AS extra" if spec.keeps_extra else ""
    removed = ", CASE WHEN s.amount = 0 THEN s.changed_at ELSE s.ended_at END AS removed_at" if spec.link_kind else ""
    first_seen = ", s.first_seen_at" if spec.keeps_first_seen else ""
    return f"""
CREATE TEMP TABLE fold_state ON COMMIT DROP AS
SELECT s.source_id, {columns}{extra}{removed}{first_seen}, GREATEST(s.changed_at, s.ended_at) AS observed_at,
       s.changed_by AS origin
FROM (
    SELECT c.*, c.owner_is_deleted AS is_deleted, c.last_version < c.content_version AS has_ended,
           CASE WHEN c.owner_is_deleted OR c.last_version < c.content_version THEN c.last_next_at END AS ended_at
    FROM ({_ONLY_ROWS} UNION ALL {_NEWEST_ROWS}) c
) s
WHERE {_stands(spec)}"""


#: The row of each record that has but one, as nearly all have: nothing is to be sorted or compared.
_ONLY_ROWS = """
        SELECT r.*, true AS is_changed, r.version_at AS first_seen_at, r.version_at AS changed_at,
               r.origin AS changed_by, r.version AS last_version, r.next_at AS last_next_at
        FROM record_rows r JOIN late_ids l USING (source_id) WHERE l.row_count = 1 AND r.has_parents"""

#: Of the others the newest row whose parents are known, the version in which it last changed, and the last that has it.
_NEWEST_ROWS = """
        SELECT c.*, n.version AS last_version, n.next_at AS last_next_at
        FROM (
            SELECT DISTINCT ON (source_id) steps.*, min(version_at) OVER (PARTITION BY source_id) AS first_seen_at,
                   first_value(version_at) OVER newest_change AS changed_at,
                   first_value(origin) OVER newest_change AS changed_by
            FROM (SELECT r.*, lag(r.content) OVER (PARTITION BY source_id ORDER BY r.version)
                              IS DISTINCT FROM r.content AS is_changed
                  FROM record_rows r JOIN late_ids l USING (source_id)
                  WHERE l.row_count > 1 AND r.has_parents) steps
            WINDOW newest_change AS (PARTITION BY source_id ORDER BY is_changed DESC, version DESC)
            ORDER BY source_id, version DESC
        ) c
        JOIN (SELECT DISTINCT ON (source_id) source_id, version, next_at
              FROM record_rows JOIN late_ids l USING (source_id) WHERE l.row_count > 1
              ORDER BY source_id, version DESC) n USING (source_id)"""


def _stands(spec: RecordSpec) -> str:
    if spec.source.ending is Ending.GONE:
        return "NOT s.has_ended AND NOT s.is_deleted"
    if spec.entity == "journals":  # lines on other accounts move no receivables
        return (
            "EXISTS (SELECT FROM receivables.accounts a WHERE a.source_id = s.account_source_id"
            " AND a.connection = %(connection)s AND a.is_receivable)"
        )
    return "true"


#: Nothing moves where every owner has one version.
_SEVERAL = "(SELECT EXISTS (SELECT FROM versions WHERE version > 1))"


def create_steps(spec: RecordSpec) -> str | None:
    """Return the statement that lays out `late_steps`, from which the moves are made; None where none are kept.

    An allocation that a version of its owner does not name, its deletion too, has the amount 0 there.
    """
    if spec.kind:
        return f"""
CREATE TEMP TABLE late_steps ON COMMIT DROP AS
SELECT source_id, version, version_at AS name_time, amount - balance AS settled, NULL::numeric AS applied
FROM record_rows WHERE has_parents AND balance IS NOT NULL AND {_SEVERAL}"""
    if spec.link_kind:
        return f"""
CREATE TEMP TABLE late_steps ON COMMIT DROP AS
SELECT k.source_id, v.version, v.version_at AS name_time, NULL::numeric AS settled, COALESCE(r.amount, 0) AS applied
FROM (SELECT source_id, o_kind, o_id, min(version) AS first FROM record_rows WHERE has_parents GROUP BY 1, 2, 3) k
JOIN versions v ON v.o_kind = k.o_kind AND v.o_id = k.o_id AND v.version >= k.first
LEFT JOIN record_rows r ON r.source_id = k.source_id AND r.version = v.version
WHERE (r.source_id IS NULL OR r.has_parents) AND {_SEVERAL}"""
    return None


def park(spec: RecordSpec, parent: Parent) -> str:
    """Return the INSERT of the rows that lack a parent; those of older versions fold in their place, should it come."""
    parent_id = f"COALESCE(r.{parent.column}, '')"
    return f"""
INSERT INTO normalised.parked_rows
    (connection, extract_id, line, entity, source_id, code, parent_entity, parent_id, is_overtaken)
SELECT %(connection)s, r.extract_id, r.line, '{spec.entity}', r.source_id, '{parent.code}', '{parent.entity}',
       {parent_id}, r.version < r.content_version OR r.owner_is_deleted
FROM record_rows r
WHERE NOT r.has_parents AND NOT {parent_exists(parent)} AND {_concerns(spec)}
ON CONFLICT DO NOTHING"""


def _concerns(spec: RecordSpec) -> str:
    """Return SQL that is false for lines on accounts that are known not to be of receivables: they wait for nobody."""
    if spec.entity != "journals":
        return "true"
    return (
        "NOT EXISTS (SELECT FROM receivables.accounts a WHERE a.source_id = r.account_source_id"
        " AND a.connection = %(connection)s AND NOT a.is_receivable)"
    )


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


def touch_accounts() -> str:
    """Return the SELECT of the owners of lines on accounts that became ones of receivables, or ceased to be."""
    return """
SELECT p.kind, p.source_id
FROM normalised.journals r JOIN normalised.payloads p USING (extract_id, line)
WHERE p.connection = %(connection)s AND r.account_source_id = ANY(%(accounts)s)"""


#: Lines of journals that come, go, or are another's or another amount than before, and their entries.
CREATE_MOVED_LINES = """
CREATE TEMP TABLE moved_lines ON COMMIT DROP AS
SELECT COALESCE(n.source_id, r.source_id) AS source_id, e.entry_source_id
FROM late_ids l
LEFT JOIN fold_state n ON n.source_id = l.source_id
LEFT JOIN receivables.journals r ON r.source_id = l.source_id AND r.connection = %(connection)s
CROSS JOIN LATERAL (VALUES (n.entry_source_id), (r.entry_source_id)) e (entry_source_id)
WHERE (n.source_id, n.entry_source_id, n.customer_source_id, n.amount)
      IS DISTINCT FROM (r.source_id, r.entry_source_id, r.customer_source_id, r.amount)"""

#: Owners of allocations that name a line of an entry of which lines moved: they may mean another one now, and those
#: that wait for something else may lack the line as well.
TOUCH_MOVED_LINES = """
WITH lines AS (
    SELECT source_id FROM moved_lines UNION SELECT j.source_id FROM receivables.journals j
    JOIN moved_lines m ON m.entry_source_id = j.entry_source_id WHERE j.connection = %(connection)s
), links AS (
    SELECT a.source_id FROM receivables.allocations a JOIN lines l ON l.source_id = a.to_source_id
    WHERE a.to_kind = 'journal' AND a.connection = %(connection)s
    UNION SELECT a.source_id FROM receivables.allocations a JOIN lines l ON l.source_id = a.from_source_id
    WHERE a.from_kind = 'journal' AND a.connection = %(connection)s
    UNION SELECT w.source_id FROM normalised.parked_rows w
    JOIN normalised.allocations r USING (extract_id, line, source_id)
    JOIN moved_lines m ON (r.to_kind = 'journal' AND r.to_source_id IN (m.source_id, m.entry_source_id))
        OR (r.from_kind = 'journal' AND r.from_source_id IN (m.source_id, m.entry_source_id))
    WHERE w.connection = %(connection)s AND w.entity = 'allocations'
)
SELECT p.kind, p.source_id
FROM links JOIN normalised.allocations r USING (source_id) JOIN normalised.payloads p USING (extract_id, line)
WHERE p.connection = %(connection)s"""


def touch_orphans(entity: str) -> str | None:
    """Return the SELECT of the owners of records whose parents of `entity` are gone (`%(gone)s`); None: it has none.

    Rows that are parked for another parent are among them: they wait for this one as well now.
    """
    selects = [
        select
        for table in RECORD_TABLES.values()
        for parent in table.parents
        if parent.entity == entity and parent != HOME
        for select in (_orphans(table, parent), _parked_orphans(table, parent))
    ]
    return " UNION ".join(selects) or None


def _orphans(table: RecordTable, parent: Parent) -> str:
    return (
        f"SELECT p.kind, p.source_id FROM receivables.{table.entity} c JOIN normalised.{table.entity} r"
        " ON r.source_id = c.source_id JOIN normalised.payloads p ON (p.extract_id, p.line) = (r.extract_id, r.line)"
        f" WHERE c.connection = %(connection)s AND p.connection = %(connection)s AND {_names_gone(parent, 'c')}"
    )


def _parked_orphans(table: RecordTable, parent: Parent) -> str:
    return (
        f"SELECT p.kind, p.source_id FROM normalised.parked_rows w JOIN normalised.{table.entity} r"
        " USING (extract_id, line, source_id) JOIN normalised.payloads p USING (extract_id, line)"
        f" WHERE w.connection = %(connection)s AND w.entity = '{table.entity}' AND {_names_gone(parent, 'r')}"
    )


def _names_gone(parent: Parent, row: str) -> str:
    own = f" AND {row}.{parent.when[0]} = '{parent.when[1]}'" if parent.when else ""
    return f"{row}.{parent.column} = ANY(%(gone)s){own}"
