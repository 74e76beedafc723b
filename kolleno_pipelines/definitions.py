"""The only assembly of the Dagster code location, written out. Nothing else is defined, nothing is read at import."""

import dagster as dg

from kolleno_pipelines.assets.checks.api import api_checks
from kolleno_pipelines.assets.checks.arrivals import arrival_checks
from kolleno_pipelines.assets.checks.results import result_checks
from kolleno_pipelines.assets.checks.rows import parked_checks, reject_checks
from kolleno_pipelines.assets.partitions import days_from
from kolleno_pipelines.assets.raw.api import raw_extracts
from kolleno_pipelines.assets.raw.sftp import raw_files
from kolleno_pipelines.assets.receivables.api import api_receivables
from kolleno_pipelines.assets.receivables.sftp import receivables
from kolleno_pipelines.assets.reconciliation.agreement import agreement, agrees_with_ledger
from kolleno_pipelines.assets.reconciliation.bank import bank_checks
from kolleno_pipelines.assets.reconciliation.by_day import results_by_day
from kolleno_pipelines.assets.reconciliation.charges import charges, charges_in_ledger
from kolleno_pipelines.assets.reconciliation.payouts import payout_checks, payouts
from kolleno_pipelines.assets.reconciliation.present import balances, control_totals, differences, unapplied_cash
from kolleno_pipelines.assets.sftp_csv.tables import csv_tables
from kolleno_pipelines.automation.api_polls import api_polls
from kolleno_pipelines.automation.jobs import EXECUTOR, build_jobs
from kolleno_pipelines.automation.run_watch import run_watches
from kolleno_pipelines.automation.schedules import build_schedules
from kolleno_pipelines.automation.sftp_arrivals import sftp_arrivals
from kolleno_pipelines.automation.sftp_watch import sftp_watch
from kolleno_pipelines.connections import (
    Connections,
    ConnectionsError,
    SftpConnection,
    api_connections,
    bank_connections,
    document_connections,
    ledger_of,
    load_connections,
    provider_connections,
)
from kolleno_pipelines.resources.deployment import deployment_resource
from kolleno_pipelines.settings import Settings, load_settings


def build_definitions(settings: Settings | None = None, connections: Connections | None = None) -> dg.Definitions:
    """Assemble assets, checks, jobs, schedule and sensors for what connections.yaml holds.

    Unless given, the environment and connections.yaml are read now; secrets and the database only when work is done.
    Raises SettingsError or ConnectionsError: one sentence for the operator.
    """
    settings = settings or load_settings()
    if connections is None:
        connections = _configured(settings)
    if not connections:
        raise ConnectionsError(
            f"{settings.connections} holds no connection: add one, connections.example.yaml shows how."
        )
    documents = document_connections(connections)
    sftp = [each for each in connections.values() if isinstance(each, SftpConnection)]
    mirrored = [documents] if any(each.role == "mirror" for each in documents.values()) else []
    providers, banks = provider_connections(connections), bank_connections(connections)
    served = [providers] if providers else []
    apis, days = api_connections(connections), days_from(settings.first_day)
    return dg.Definitions(
        assets=[
            *(make(each, days) for each in sftp for make in (raw_files, csv_tables, receivables)),
            *(make(each, days) for each in apis for make in (raw_extracts, api_receivables)),
            balances(documents),
            control_totals(documents),
            unapplied_cash(documents),
            *(agreement(each) for each in mirrored),
            *(charges(each) for each in served),
            *(payouts(each, banks) for each in served),
            differences(documents, providers),
            results_by_day(documents, days),
        ],
        asset_checks=[
            *(make(each) for each in sftp for make in (arrival_checks, reject_checks, parked_checks)),
            *(check for each in apis for check in api_checks(each)),
            *result_checks(ledger_of(connections), providers),
            *(agrees_with_ledger(each) for each in mirrored),
            *(charges_in_ledger(each) for each in served),
            *(check for each in served for check in (*payout_checks(each), *bank_checks(each, banks))),
        ],
        jobs=build_jobs(connections),
        schedules=build_schedules(),
        sensors=[
            *(make(each) for each in sftp for make in (sftp_arrivals, sftp_watch)),
            *(api_polls(each) for each in apis),
            *run_watches(connections),
        ],
        resources={"deployment": deployment_resource(settings, connections)},
        executor=EXECUTOR,
    )


def _configured(settings: Settings) -> Connections:
    """Read connections.yaml; where none was named and none is there, the graph is that of a folder in KOLLENO_HOME."""
    if "connections" not in settings.model_fields_set and not settings.connections.exists():
        return {"sftp": SftpConnection(location=(settings.home / "drop").as_uri())}
    return load_connections(settings.connections)


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of this deployment; Dagster's tools call it when they load the code location."""
    return build_definitions()
