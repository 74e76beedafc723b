"""SQL that looks at the rows of a balance that no compared payout holds. Nothing is run here.

Pure text over the working tables of storage/payouts.py and `loose`, `named` (storage/loose_rows.py). What an item of a
payout is compared with is in payout_sql.py, and holds for these as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from kolleno_pipelines.schemas.payout_words import ITEM_CODES, ExceptionCode
from kolleno_pipelines.storage import payout_sql

#: In the columns of payout_members, that they can be judged as items. A compared payout's own row is judged with it.
LOOSE = f"""
SELECT t.source_id, ''::text AS payout_source_id, t.source_id AS balance_transaction_source_id, t.type,
       t.reporting_category, t.amount, t.fee, t.net, t.currency_iso, t.observed_at, t.created_at, t.source_object_id,
       t.charge_source_id
FROM receivables.balance_transactions t
WHERE t.connection = %(connection)s
  AND NOT EXISTS (SELECT FROM payout_items i JOIN payout_states p ON p.source_id = i.payout
                  WHERE i.id = t.source_id AND {payout_sql.IS_COMPARED})
  AND NOT EXISTS (SELECT FROM payout_states p WHERE p.own_row = t.source_id AND {payout_sql.IS_COMPARED})"""

#: What a row can contradict by itself: the object that made it, its own sum, the details of its fee.
_CODES = (
    ExceptionCode.NET_DIFFERS,
    ExceptionCode.FEE_DIFFERS,
    ExceptionCode.SOURCE_DIFFERS,
    ExceptionCode.FEE_DETAILS,
)


def _mask(codes: Iterable[ExceptionCode]) -> int:
    return sum(1 << ITEM_CODES.index(code) for code in codes)


_OF_NOBODY = "(VALUES (''::text, NULL::text)) p (source_id, currency_iso)"
ALTERED = f"""{
    payout_sql.suspects(
        payout_sql.judged(f"loose m JOIN {_OF_NOBODY} ON p.source_id = m.payout_source_id", "true"),
        f"flags & {_mask(_CODES)}",
    )
} WHERE flags & {_mask(_CODES)} <> 0 ORDER BY id"""

#: Currencies whose newest proof differs, and by how much: above 0 where the rows come to more than is stated.
_DIFFERING = "unnest(%(currencies)s::text[], %(differences)s::numeric[]) AS d (currency_iso, difference)"

#: Rows that say what another says of the same object; where nothing made them, of the same second. Either the object
#: names the other; or no object names one of them, and the row is exactly what the balance is too much: then the later
#: one is told.
DOUBLED = f"""
SELECT DISTINCT ON (l.source_id) l.source_id, t.source_id, l.charge_source_id, l.currency_iso, l.net, l.observed_at
FROM loose l
JOIN {_DIFFERING} ON d.currency_iso = l.currency_iso
JOIN receivables.balance_transactions t
    ON t.connection = %(connection)s AND t.source_id <> l.source_id AND t.type = l.type AND t.net = l.net
   AND t.currency_iso = l.currency_iso
   AND COALESCE(t.source_object_id, t.created_at::text) = COALESCE(l.source_object_id, l.created_at::text)
WHERE NOT EXISTS (SELECT FROM named n WHERE n.id = l.source_id)
  AND (EXISTS (SELECT FROM named n WHERE n.id = t.source_id)
       OR d.difference = l.net
          AND ((t.created_at, t.source_id COLLATE "C") < (l.created_at, l.source_id COLLATE "C")
               OR NOT EXISTS (SELECT FROM loose o WHERE o.source_id = t.source_id)))
ORDER BY l.source_id, t.source_id COLLATE "C" """

#: Rows that an object names and no list has. What was made before the first row of the list was never asked for. A
#: currency in which there is no balance was converted into one in which there is.
MISSING = f"""
SELECT DISTINCT ON (n.id) n.id, n.object, n.charge, n.currency_iso, n.money, n.is_exact, n.observed_at
FROM named n
JOIN {_DIFFERING} ON d.currency_iso = n.currency_iso OR n.currency_iso <> ALL(%(proven)s::text[])
WHERE NOT EXISTS (
        SELECT FROM receivables.balance_transactions t WHERE t.source_id = n.id AND t.connection = %(connection)s)
  AND n.created_at >= (
        SELECT min(created_at) FROM receivables.balance_transactions WHERE connection = %(connection)s)
  AND n.id <> ALL(%(told)s::text[])
ORDER BY n.id, n.object COLLATE "C" """
