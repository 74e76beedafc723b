"""What a fold derives once all records are written: the groups of customers, the balances of payments. Audited."""

from kolleno_pipelines.storage.fold_apply import Execute

_SETTLEMENT = (
    "CASE WHEN d.balance < 0 THEN 'overpaid' WHEN d.balance = 0 THEN 'paid'"
    " WHEN d.balance < p.amount THEN 'partially_paid' ELSE 'open' END"
)


def refresh_groups(execute: Execute) -> int:
    """Derive each customer's group, the ultimate parent that is known; a cycle ends the walk at its smallest id.

    Every walk doubles its stride until it stands at its end: a chain of 5,000 takes 13 steps, not 12 million rows.
    Returns the number of audit entries.
    """
    execute("DROP TABLE IF EXISTS walks, rings, tops")
    execute(
        "CREATE TEMP TABLE walks ON COMMIT DROP AS SELECT c.source_id, p.source_id AS at FROM receivables.customers c"
        " JOIN receivables.customers p ON p.source_id = c.parent_source_id AND p.connection = c.connection"
        " WHERE c.connection = %(connection)s"
    )
    _double(execute, "walks", "at = n.at")
    # Whoever still stands on a customer with a parent walks in a ring; together they stand on all of it.
    execute(
        "CREATE TEMP TABLE rings ON COMMIT DROP AS SELECT c.source_id, c.parent_source_id AS at,"
        ' LEAST(c.source_id COLLATE "C", c.parent_source_id) COLLATE "default" AS low FROM receivables.customers c'
        " WHERE c.connection = %(connection)s AND c.source_id IN"
        " (SELECT w.at FROM walks w JOIN walks n ON n.source_id = w.at)"
    )
    _double(execute, "rings", 'at = n.at, low = LEAST(r.low COLLATE "C", n.low)')
    execute(
        "CREATE TEMP TABLE tops ON COMMIT DROP AS SELECT c.source_id, c.group_source_id AS old,"
        " COALESCE(g.low, w.at, c.source_id) AS new FROM receivables.customers c"
        " LEFT JOIN walks w ON w.source_id = c.source_id LEFT JOIN rings g ON g.source_id = w.at"
        " WHERE c.connection = %(connection)s AND c.group_source_id IS DISTINCT FROM COALESCE(g.low, w.at, c.source_id)"
    )
    execute(
        "UPDATE receivables.customers c SET group_source_id = t.new FROM tops t"
        " WHERE c.connection = %(connection)s AND c.source_id = t.source_id"
    )
    return _audit_derived(execute, "customers", "group_source_id", "tops")


def _double(execute: Execute, table: str, sets: str) -> None:
    """Let every walk of a table jump to where the walk it stands on stands, until all have come round or ended."""
    row = execute(f"SELECT count(*) FROM {table}").fetchone()
    for _ in range((int(row[0]) if row else 0).bit_length()):
        if not execute(f"UPDATE {table} r SET {sets} FROM {table} n WHERE n.source_id = r.at").rowcount:
            break


def _audit_derived(execute: Execute, entity: str, field: str, changed: str) -> int:
    """Write an audit entry per row (source_id, old, new) of a temp table of derived values; returns their number."""
    return execute(
        "INSERT INTO receivables.audit"
        " (connection, entity, source_id, field, old_value, new_value, version_at, origin, run_id)"
        " SELECT %(connection)s, %(entity)s, n.source_id, %(field)s, n.old::text, n.new::text, r.observed_at, r.origin,"
        f" %(run_id)s FROM {changed} n JOIN receivables.{entity} r ON r.source_id = n.source_id"
        " AND r.connection = %(connection)s"
        # A record that was inserted just now has no former value.
        " WHERE n.old IS NOT NULL OR EXISTS (SELECT FROM receivables.audit a WHERE a.source_id = n.source_id"
        " AND a.entity = %(entity)s AND a.connection = %(connection)s AND a.field = %(field)s"
        " AND a.xmin = pg_current_xact_id()::xid)",
        entity=entity,
        field=field,
    ).rowcount


def derive_balances(execute: Execute) -> int:
    """Set the balance of payments that state none to amount less what is allocated to posted invoices (facts 5.5).

    An allocation's amount is in the invoice's currency: one to another currency takes off nothing, as in rules.
    Returns the number of audit entries.
    """
    execute("DROP TABLE IF EXISTS derived")
    execute(
        """
        CREATE TEMP TABLE derived ON COMMIT DROP AS SELECT source_id, old, new FROM (
            SELECT p.source_id, p.balance AS old,
                   p.amount - COALESCE(sum(a.amount) FILTER (WHERE i.posting_status = 'posted'
                                                             AND i.currency_iso = p.currency_iso), 0) AS new
            FROM receivables.payments p
            LEFT JOIN receivables.allocations a ON a.from_source_id = p.source_id AND a.from_kind = 'payment'
                 AND a.connection = p.connection AND a.removed_at IS NULL
            LEFT JOIN receivables.invoices i ON i.source_id = a.to_source_id AND i.connection = a.connection
            WHERE p.connection = %(connection)s AND p.balance_source = 'derived'
            GROUP BY p.source_id, p.connection
        ) d WHERE old IS DISTINCT FROM new
        """
    )
    execute(
        f"""
        UPDATE receivables.payments p SET balance = d.balance, settlement = {_SETTLEMENT},
               balance_open = CASE WHEN p.posting_status = 'posted' THEN d.balance ELSE 0 END
        FROM (SELECT source_id, new AS balance FROM derived) d
        WHERE p.connection = %(connection)s AND p.source_id = d.source_id AND p.balance_source = 'derived'
        """
    )
    return _audit_derived(execute, "payments", "balance", "derived")


def derive_journal_balances(execute: Execute) -> None:
    """Set what is open on journal lines: their amount less what settles them, plus what they settle (docs/model.md).

    Nobody states it, so it proves nothing; it follows from allocations that count and is not audited.
    """
    execute(
        """
        UPDATE receivables.journals j SET balance = d.balance, loaded_at = clock_timestamp(),
               balance_open = CASE WHEN j.posting_status = 'posted' THEN d.balance ELSE 0 END
        FROM (
            SELECT l.source_id, l.amount - COALESCE(t.amount, 0) + COALESCE(f.amount, 0) AS balance
            FROM receivables.journals l
            LEFT JOIN (SELECT to_source_id AS source_id, sum(amount) AS amount FROM receivables.allocations_with_ends
                       WHERE connection = %(connection)s AND to_kind = 'journal' AND is_live GROUP BY 1) t
                ON t.source_id = l.source_id
            LEFT JOIN (SELECT from_source_id AS source_id, sum(amount) AS amount FROM receivables.allocations_with_ends
                       WHERE connection = %(connection)s AND from_kind = 'journal' AND is_live GROUP BY 1) f
                ON f.source_id = l.source_id
            WHERE l.connection = %(connection)s
        ) d
        WHERE j.connection = %(connection)s AND j.source_id = d.source_id
          AND (j.balance, j.balance_open) IS DISTINCT FROM
              (d.balance, CASE WHEN j.posting_status = 'posted' THEN d.balance ELSE 0 END)
        """
    )
