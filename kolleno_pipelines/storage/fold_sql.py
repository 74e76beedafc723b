"""SQL text of the fold, generated from fold_specs: the fast path and the full fold. Nothing is executed here.

Model 2: a record is a fold over all rows that name its key. The fast path serves files newer than all folded ones of
their table; the full fold reads every row kept of the named ids. A property test holds the two equal.
"""

from collections.abc import Collection, Mapping
from string import Formatter

from kolleno_pipelines.schemas.sftp_tables import Column, CsvTable, Kind, Requirement
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, CollectionStatus, PostingStatus
from kolleno_pipelines.storage.fold_specs import FoldSpec

_SQL_TYPES = {Kind.DECIMAL: "numeric(20,6)", Kind.DATE: "date", Kind.BOOLEAN: "boolean"}
_SAMPLE = 200
_DERIVED_KEPT = "CASE WHEN r.balance_source = 'derived' THEN r.balance END"


def sql_type(column: Column) -> str:
    """Return the PostgreSQL type of a column's cells."""
    return _SQL_TYPES.get(column.kind, "text")


def _literals(words: Collection[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _normalised(word: str) -> str:
    return f"translate(lower(btrim({word}) COLLATE \"C\"), ' -', '__')"  # as schemas.statuses.normalise_status


def _mapped(word: str, meanings: Mapping[str, str], default: str) -> str:
    arms = " ".join(f"WHEN '{name}' THEN '{meaning}'" for name, meaning in meanings.items() if meaning != default)
    return f"(CASE {_normalised(word)} {arms} ELSE '{default}' END)"


_POSTING = {word: meaning.posting.value for word, meaning in SFTP_STATUSES.items()}
_COLLECTION = {word: meaning.collection.value for word, meaning in SFTP_STATUSES.items()}
_CLOSED = _literals([word for word, meaning in SFTP_STATUSES.items() if meaning.closed])


def _posting_of(word: str) -> str:
    return _mapped(word, _POSTING, PostingStatus.POSTED.value)


def _collection_of(word: str) -> str:
    return _mapped(word, _COLLECTION, CollectionStatus.NONE.value)


def _fast_cell(spec: FoldSpec, column: Column, present: Collection[str], *, stored: bool) -> str:
    """Return the newest cell of one column when row `s` is the newest input; `r` is the record so far."""
    kept = spec.kept.get(column.field)
    old = f"r.{kept}" if stored and kept else f"NULL::{sql_type(column)}"
    if column.requirement is Requirement.FIELD_OPTIONAL and column.field not in present:
        return old
    if column.descriptive:
        return f"(CASE WHEN s.absent @> '{{{column.field}}}' THEN {old} ELSE s.{column.field} END)"
    return f"s.{column.field}"


def _fast_statuses(spec: FoldSpec, present: Collection[str], *, stored: bool) -> dict[str, str]:
    old_posting = "COALESCE(r.posting_status, 'posted')" if stored else "'posted'"
    old_collection = "COALESCE(r.collection_status, 'none')" if stored else "'none'"
    if "status" not in spec.source.fields:
        return {}
    if "status" not in present:
        return {"posting_status": old_posting, "collection_status": old_collection}
    unread = "s.absent @> '{status}'"
    return {
        "posting_status": f"(CASE WHEN {unread} THEN {old_posting} ELSE {_posting_of('s.status')} END)",
        "collection_status": f"(CASE WHEN {unread} OR {_normalised('s.status')} IN ({_CLOSED}) THEN {old_collection}"
        f" ELSE {_collection_of('s.status')} END)",
    }


def fast_columns(spec: FoldSpec, present: Collection[str], *, stored: bool) -> dict[str, str]:
    """Return target column -> expression over `s` (newest row) and, if `stored`, `r` (the record so far)."""
    cells = {column.field: _fast_cell(spec, column, present, stored=stored) for column in spec.source.columns}
    cells |= _fast_statuses(spec, present, stored=stored)
    cells["derived_balance"] = _DERIVED_KEPT if stored else "NULL::numeric"
    columns = {target.name: target.expression.format_map(cells) for target in spec.targets}
    if spec.keeps_extra:
        old = "COALESCE(r.extra, '{}') || s.extra" if stored else "s.extra"
        kept = "r.extra" if stored else "NULL::jsonb"
        columns["extra"] = f"(CASE WHEN s.extra IS NULL THEN {kept} ELSE NULLIF(jsonb_strip_nulls({old}), '{{}}') END)"
    return columns


def parent_conditions(table: CsvTable) -> list[tuple[str, str, str, str]]:
    """Return (code, parent table, field, SQL that is true when the parent of row `s` exists) per reference."""
    return [
        (
            reference.code,
            reference.table.value,
            reference.field,
            f"EXISTS (SELECT FROM receivables.{reference.table.value} p"
            f" WHERE p.source_id = s.{reference.field} AND p.connection = %(connection)s)",
        )
        for reference in table.references
    ]


def group_without_parent(parent: str, source_id: str) -> str:
    """Return SQL for the group of a new customer: itself without a parent, else none until the groups are derived."""
    return f"CASE WHEN {parent} IS NULL THEN {source_id} END"


def insert_new(spec: FoldSpec, present: Collection[str], *, skip_ids: bool, orphans: bool) -> str:
    """Return the INSERT of one file's rows whose key is not stored yet; `orphans`: only those whose parents are."""
    columns = fast_columns(spec, present, stored=False)
    names = ", ".join(columns)
    conditions = [condition for *_, condition in parent_conditions(spec.source)] if orphans else []
    parents = "".join(f"\n  AND {condition}" for condition in conditions)
    group = ", group_source_id" if spec.entity == "customers" else ""
    own_group = f", {group_without_parent(columns['parent_source_id'], 's.source_id')}" if group else ""
    removed = ", removed_at" if spec.link_kind else ""
    first_seen = ", first_seen_at" if spec.keeps_first_seen else ""
    return f"""
INSERT INTO {spec.table} (connection, source_id, {names}{group}{removed}{first_seen}, observed_at, origin)
SELECT %(connection)s, s.source_id, {", ".join(columns.values())}{own_group}
       {", CASE WHEN s.amount = 0 THEN %(version_at)s::timestamptz END" if removed else ""}
       {", %(version_at)s::timestamptz" if first_seen else ""},
       %(version_at)s::timestamptz, %(origin)s::text || s.line
FROM sftp_csv.{spec.source.name} s
LEFT JOIN {spec.table} r ON r.source_id = s.source_id AND r.connection = %(connection)s AND {spec.scope}
WHERE s.file_id = %(file_id)s AND r.source_id IS NULL{_not_late(skip_ids)}{parents}"""


def select_differing(spec: FoldSpec, present: Collection[str], *, skip_ids: bool) -> str:
    """Return the SELECT of one file's rows that are new or differ from the record stored, as its new state."""
    columns = fast_columns(spec, present, stored=True)
    new = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    follows = {target.name for target in spec.targets if target.follows}
    spoken = [name for name, text in columns.items() if name not in follows and _may_change(name, text)]
    old_tuple = ", ".join(f"r.{name}" for name in spoken)
    new_tuple = ", ".join(columns[name] for name in spoken)
    removed = ", CASE WHEN s.amount = 0 THEN %(version_at)s::timestamptz END AS removed_at" if spec.link_kind else ""
    first_seen = ", COALESCE(r.first_seen_at, %(version_at)s::timestamptz) AS first_seen_at"
    return f"""
SELECT s.source_id, {new}{removed}{first_seen if spec.keeps_first_seen else ""},
       %(version_at)s::timestamptz AS observed_at, %(origin)s::text || s.line AS origin
FROM sftp_csv.{spec.source.name} s
LEFT JOIN {spec.table} r ON r.source_id = s.source_id AND r.connection = %(connection)s AND {spec.scope}
WHERE s.file_id = %(file_id)s AND (r.source_id IS NULL OR ({old_tuple}) IS DISTINCT FROM ({new_tuple}))
  {_not_late(skip_ids)}"""


def _may_change(name: str, expression: str) -> bool:
    """Tell whether a column can differ from the stored one: constants and kept columns need no comparison."""
    constant = expression.startswith("'") or expression == "%(connection)s"
    return not constant and expression != f"r.{name}" and not expression.startswith(f"COALESCE(r.{name}, ")


def sample_known(spec: FoldSpec) -> str:
    """Return the SELECT of how many rows of one large file were looked at, and how many are about stored records."""
    return f"""
SELECT count(*), count(r.source_id)
FROM (SELECT source_id FROM sftp_csv.{spec.source.name} TABLESAMPLE SYSTEM (0.1) WHERE file_id = %(file_id)s
      LIMIT {_SAMPLE}) s
LEFT JOIN {spec.table} r ON r.source_id = s.source_id AND r.connection = %(connection)s AND {spec.scope}"""


def count_orphans(table: CsvTable) -> list[str]:
    """Return, per parent, the SELECT of how many rows of a file name one that is not known."""
    rows = f"SELECT count(*) FROM sftp_csv.{table.name} s WHERE s.file_id = %(file_id)s"
    return [f"{rows} AND NOT {exists}" for *_, exists in parent_conditions(table)]


def _not_late(skip_ids: bool) -> str:
    """Return the condition that leaves out what the full fold has folded already."""
    return "\n  AND NOT EXISTS (SELECT FROM late_ids l WHERE l.source_id = s.source_id)" if skip_ids else ""


def select_folded(spec: FoldSpec) -> str:
    """Return the SELECT that folds all rows of `late_ids` from `late_steps`: one row per record, its final state."""
    cells = {column.field: f"(s.st ->> '{column.field}')::{sql_type(column)}" for column in spec.source.columns} | {
        "posting_status": _posting_of("(s.st ->> 'status')"),
        "collection_status": _collection_of("(s.st ->> 'collection_word')"),
        "derived_balance": _DERIVED_KEPT,
    }
    columns = {target.name: target.expression.format_map(cells) for target in spec.targets}
    if spec.keeps_extra:
        columns["extra"] = "NULLIF(s.xt, '{}')"
    if spec.link_kind:
        columns["removed_at"] = "CASE WHEN (s.st ->> 'amount')::numeric = 0 THEN s.observed_at END"
    new = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    others = _literals([field for field in spec.source.fields if field not in _used_fields(spec)])
    content = f"st - ARRAY[{others}]::text[]" + (" || jsonb_build_object('extra', xt)" if spec.keeps_extra else "")
    return f"""
SELECT s.source_id, {new}, s.first_seen_at, s.observed_at, s.origin
FROM (
    SELECT DISTINCT ON (source_id) source_id, st, xt,
           min(name_time) OVER (PARTITION BY source_id) AS first_seen_at,
           first_value(name_time) OVER newest_change AS observed_at,
           first_value(origin) OVER newest_change AS origin
    FROM (
        SELECT *, lag({content}) OVER (PARTITION BY source_id ORDER BY version) IS DISTINCT FROM {content} AS changed
        FROM late_steps
    ) steps
    WINDOW newest_change AS (PARTITION BY source_id ORDER BY changed DESC, version DESC)
    ORDER BY source_id, version DESC
) s
LEFT JOIN {spec.table} r ON r.source_id = s.source_id AND r.connection = %(connection)s AND {spec.scope}"""


def _used_fields(spec: FoldSpec) -> set[str]:
    """Return the cells that this entity's columns are made of: only they make it change."""
    names = {name for target in spec.targets for _, name, _, _ in Formatter().parse(target.expression) if name}
    return names | ({"status"} if "posting_status" in names else set())


def create_steps(table: CsvTable, *, few: bool) -> str:
    """Return the statement that lays out `late_steps`: per row of `late_ids`, the cells stated so far.

    Each row gives the cells it states; jsonb_merge over the versions keeps the newest of each key; cells that say
    nothing (null) are left out. `few` ids are bound as an array, so that the Bloom index over source_id finds them
    without reading the table.
    """
    wanted = "s.source_id = ANY(%(few)s::text[])" if few else "s.source_id IN (SELECT source_id FROM late_ids)"
    sparse = _literals([c.field for c in table.columns if c.requirement is Requirement.FIELD_OPTIONAL])
    pairs = ", ".join(f"'{column.field}', s.{column.field}" for column in table.columns)
    parents = "".join(f"\n      AND {condition}" for *_, condition in parent_conditions(table))
    word = (
        f"CASE WHEN cells ? 'status' AND COALESCE({_normalised('status')} NOT IN ({_CLOSED}), true)"
        " THEN jsonb_build_object('collection_word', status) ELSE '{}' END"
        if "status" in table.fields
        else "'{}'::jsonb"
    )
    status = ", s.status" if "status" in table.fields else ""
    return f"""
CREATE TEMP TABLE late_steps ON COMMIT DROP AS
WITH versions AS (
    SELECT id AS file_id, name_time, row_number() OVER (ORDER BY name_time, fix, receipt, sha256) AS version,
           ARRAY(SELECT unnest(ARRAY[{sparse}]::text[]) EXCEPT SELECT unnest(fields)) AS absent_fields
    FROM raw.files WHERE connection = %(connection)s AND type = '{table.name}' AND is_loaded
), stated AS (
    SELECT s.source_id, s.file_id || ':' || s.line AS origin, s.file_id, s.line, v.version, v.name_time,
           s.extra{status},
           jsonb_build_object({pairs}) - COALESCE(s.absent, '{{}}') - v.absent_fields AS cells
    FROM sftp_csv.{table.name} s JOIN versions v USING (file_id)
    WHERE {wanted}{parents}
), merged AS (
    SELECT source_id, origin, file_id, line, version, name_time,
           jsonb_strip_nulls(sftp_csv.jsonb_merge(cells || {word}) OVER upto) AS st,
           jsonb_strip_nulls(sftp_csv.jsonb_merge(COALESCE(extra, '{{}}')) OVER upto) AS xt
    FROM stated WINDOW upto AS (PARTITION BY source_id ORDER BY version ROWS UNBOUNDED PRECEDING)
)
SELECT *, (st ->> 'amount')::numeric AS applied,
       (st ->> 'amount')::numeric - (st ->> 'balance')::numeric AS settled
FROM merged"""
