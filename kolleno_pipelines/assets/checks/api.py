"""Facts about an API connection: signed in and for how long, its allowance, read in time, nothing aside or waiting."""

from collections.abc import Iterable, Iterator

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told
from kolleno_pipelines.assets.presentation import rows_table
from kolleno_pipelines.assets.raw.api import extract_keys
from kolleno_pipelines.assets.receivables.api import api_entity_key
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.pipeline.api_facts import (
    Standing,
    failed_parts,
    parked_rows,
    quarantined_payloads,
    standing,
)
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS, WITH_PARENTS

DESCRIPTIONS = {
    "signed_in": "The tokens work; else a person signs in again (kolleno connections login).",
    "sign_in_lasts": "No sign-in ends within two weeks, unused or at the latest; else a person signs in before.",
    "allowance_left": "Less than 80 % of what the vendor includes in a month (calls, bytes) is used.",
    "no_failed_reading": "The last reading of each extract, pass by pass, came to its end.",
    "no_refused_sweep": "No sweep would have closed more than `close_share` of what is open.",
    "not_silent": "All extracts were read to the end within `expect_every`; of a bank, a file came within it.",
    "none_quarantined": "Every payload could be normalised, or a later one of its object was; no part failed.",
}
NONE_PARKED = "none_parked"
_SHOWN = 500


def api_checks(connection: ApiConnection) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a connection: seven on its first extract, one on each entity whose rows name a parent."""
    return [_reading_checks(connection), _parked_checks(connection)]


def _reading_checks(connection: ApiConnection) -> dg.AssetChecksDefinition:
    key = extract_keys(connection)[0]

    @dg.multi_asset_check(
        name=f"readings_of_{connection.name}",
        specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in DESCRIPTIONS.items()],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from told(context, deployment, lambda: reading_facts(deployment.deployment, connection))

    return checks


def reading_facts(deployment: Deployment, connection: ApiConnection) -> list[Fact]:
    """Judge the seven facts about a connection's readings now."""
    key, now = extract_keys(connection)[0], standing(deployment, connection)
    failed, refused = [vars(row) for row in now.failed], [vars(row) for row in now.refused]
    return [
        *_sign_in_facts(key, now),
        _allowance(key, now),
        Fact(
            key,
            "no_failed_reading",
            not failed,
            f"Readings that ended early: {len(failed)}." if failed else "Every reading came to its end.",
            {"readings": rows_table(failed, ("extract", "pass_", "tried_at", "error"))},
        ),
        Fact(
            key,
            "no_refused_sweep",
            not refused,
            " ".join(str(row.finding) for row in now.refused) or "No sweep was refused.",
        ),
        Fact(key, "not_silent", not now.is_silent, now.silence),
        _quarantine(deployment, connection),
    ]


def _sign_in_facts(key: dg.AssetKey, now: Standing) -> list[Fact]:
    """Whether the sign-in works, and for how long it will."""
    works = f"It {now.opens}." if now.opens else "The tokens work."
    ending = " ".join(now.ending)
    return [
        Fact(key, "signed_in", now.sign_in is None, now.sign_in or works),
        Fact(key, "sign_in_lasts", not ending, ending or "No sign-in ends soon.", is_red=False),
    ]


def _allowance(key: dg.AssetKey, now: Standing) -> Fact:
    """What is used of a month's allowance; the figures are beside the words, which the sensor compares."""
    usage = now.usage
    if usage is None:
        return Fact(key, "allowance_left", True, "No vendor is asked, so there is no allowance.", is_red=False)
    said = " ".join(usage.warnings())
    figures = {"month": f"{usage.month:%Y-%m}", "calls": usage.calls, "bytes": usage.egress}
    words = said or "Less than 80 % of the month's allowance is used."
    return Fact(key, "allowance_left", not said, words, figures, is_red=False)


def _quarantine(deployment: Deployment, connection: ApiConnection) -> Fact:
    """What could not be normalised: single payloads, and parts of extracts as a whole."""
    aside = quarantined_payloads(deployment, connection, _SHOWN)
    failed = failed_parts(deployment, connection, _SHOWN)
    words = [f"Payloads kept aside: {len(aside)}."] if aside else []
    words += [f"Parts of extracts that failed as a whole: {len(failed)}."] if failed else []
    shown = {"payloads": rows_table(aside), "failed parts": rows_table(failed)}
    said = " ".join(words) or "No payload is kept aside."
    return Fact(extract_keys(connection)[0], "none_quarantined", not words, said, shown)


def _parked_checks(connection: ApiConnection) -> dg.AssetChecksDefinition:
    text = (
        "No row waits for a parent; one that does loads by itself when the parent comes, which is asked for by its id."
    )
    entities = [entity for entity in API_SYSTEMS[connection.system].entities if entity in WITH_PARENTS]

    @dg.multi_asset_check(
        name=f"parked_of_{connection.name}",
        specs=[dg.AssetCheckSpec(NONE_PARKED, asset=api_entity_key(connection, e), description=text) for e in entities],
        can_subset=True,
    )
    def parked(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from told(context, deployment, lambda: _parked_facts(deployment.deployment, connection, entities))

    return parked


def _parked_facts(deployment: Deployment, connection: ApiConnection, entities: Iterable[str]) -> Iterator[Fact]:
    counts, rows = parked_rows(deployment, connection, _SHOWN)
    for entity in entities:
        number = counts.get(entity, 0)
        words = f"Rows that wait for a parent: {number}." if number else "No row waits for a parent."
        shown = {"parked rows": rows_table(row for row in rows if row["entity"] == entity)}
        yield Fact(api_entity_key(connection, entity), NONE_PARKED, not number, words, shown, is_red=False)
