"""Asking once more for objects of a payment provider that changed: named by what came since, or open and not looked at.

Nothing at the provider tells of an object when it changed, so that no window shows it. Events tell for a time, the rows
of the balance for ever of what moved money; what is open is asked for every so often. Which: storage/renewals.py.
What a payout holds is asked for as soon as the payout has landed and its list is whole, before anything is folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from kolleno_pipelines.connectors.contract import Connector, Extract, Pass
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.pipeline.hanging import extract_objects
from kolleno_pipelines.pipeline.parts import Extracted, Reading
from kolleno_pipelines.storage import extracts, renewals, watermarks
from kolleno_pipelines.storage.archive import ArchiveError

#: Under which name it is noted up to where what names objects was looked through.
RENEWALS = "renewals"
_KINDS = ("charge", "refund", "dispute", "payout", "payment_intent", "customer")
_PAYOUT, _MEMBERS = "payout", "payout_member"
#: The entity that payouts become.
_PAYOUTS = "payouts"
#: What of a payout tells whether its list is whole.
_SAYS = ["source_id", "is_automatic", "reconciliation_status"]


def extract_renewed(
    connector: Connector, reading_of: Callable[[Extract], Reading], *, every: timedelta
) -> dict[str, Extracted]:
    """Read what is named and not seen since, what is open and not looked at within `every`, what payouts hold.

    What is folded tells which; of payouts, what landed does. Returns what landed, by extract. A source that asks to
    wait ends it cleanly; the next reading goes on with the others.
    """
    extract_of = {kind: found[0] for kind in _KINDS if (found := connector.lookup_of(kind, "")) is not None}
    some = reading_of(connector.extracts[0])
    key = (some.connection, RENEWALS, Pass.LOOKUP.value)
    with some.deployment.transaction() as conn:
        reached = renewals.newest_named(conn, some.connection)
        named = renewals.named_since_seen(conn, some.connection, watermarks.watermark(conn, *key), extract_of)
        named += renewals.still_open(conn, some.connection, some.clock(), extract_of, every=every)
    ids: dict[str, list[str]] = {}
    for kind, source_id in dict.fromkeys(named):
        ids.setdefault(extract_of[kind], []).append(source_id)
    done = _asked(connector, reading_of, ids)
    if reached is not None and not any(each.stopped for each in done.values()):
        with some.deployment.transaction() as conn:
            watermarks.move_watermark(conn, *key, reached)
    return done | _members(connector, reading_of)


def _members(connector: Connector, reading_of: Callable[[Extract], Reading]) -> dict[str, Extracted]:
    """Ask what whole payouts hold: those that are normalised, and those that have just landed."""
    members, payouts = connector.lookup_of(_MEMBERS, ""), connector.lookup_of(_PAYOUT, "")
    if members is None or payouts is None:
        return {}
    reading = reading_of(connector.extract(payouts[0]))
    in_hand = list(_whole_in_hand(connector, reading))
    with reading.deployment.transaction() as conn:
        whole = renewals.whole_payouts(conn, reading.connection, members[0], in_hand)
    return _asked(connector, reading_of, {members[0]: whole} if whole else {})


def _whole_in_hand(connector: Connector, reading: Reading) -> Iterator[str]:
    """Yield the whole payouts among what landed and waits to be normalised, by what their payloads say."""
    extract, deployment = reading.extract, reading.deployment
    with deployment.transaction() as conn:
        waiting = extracts.extracts_to_normalise(conn, reading.connection)
    for part in waiting:
        if part.extract != extract.name:
            continue
        try:
            with deployment.archive.open(part.sha256) as stream:
                for table, _ in payload_blocks(stream, extract.schema, forms=extract.forms):
                    said = normalise_block(connector.normalise, extract.name, table).rows.get(_PAYOUTS)
                    if said is not None:  # None: no payload of the block makes sense
                        yield from _whole(said.select(_SAYS).to_pylist())
        except (ArchiveError, OSError, ValueError, LookupError):
            continue  # it is told when the part is normalised


def _whole(payouts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for payout in payouts:
        if payout["is_automatic"] and payout["reconciliation_status"] == renewals.WHOLE:
            yield payout["source_id"]


def _asked(
    connector: Connector, reading_of: Callable[[Extract], Reading], ids: dict[str, list[str]]
) -> dict[str, Extracted]:
    """Ask for the objects of each extract. What the provider does not have any more is no finding: it was noted."""
    done: dict[str, Extracted] = {}
    for extract, wanted in ids.items():
        done[extract] = extract_objects(reading_of(connector.extract(extract)), wanted)
        done[extract].finding = None
    return done
