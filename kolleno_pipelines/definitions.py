"""The only assembly of the Dagster code location, written out. Nothing else is defined, nothing is read at import."""

import dagster as dg

from kolleno_pipelines.assets.checks.arrivals import arrival_checks
from kolleno_pipelines.assets.checks.results import result_checks
from kolleno_pipelines.assets.checks.rows import parked_checks, reject_checks
from kolleno_pipelines.assets.partitions import days_from
from kolleno_pipelines.assets.raw.sftp import raw_files
from kolleno_pipelines.assets.receivables.sftp import receivables
from kolleno_pipelines.assets.reconciliation.by_day import results_by_day
from kolleno_pipelines.assets.reconciliation.present import balances, control_totals, differences, unapplied_cash
from kolleno_pipelines.assets.sftp_csv.tables import csv_tables
from kolleno_pipelines.automation.jobs import EXECUTOR, build_jobs
from kolleno_pipelines.automation.schedules import build_schedules
from kolleno_pipelines.automation.sftp_arrivals import sftp_arrivals
from kolleno_pipelines.automation.sftp_watch import sftp_watch
from kolleno_pipelines.connections import Connections, ConnectionsError, SftpConnection, load_connections
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
    sftp = _sftp(settings, connections)
    days = days_from(settings.first_day)
    return dg.Definitions(
        assets=[
            raw_files(sftp, days),
            csv_tables(sftp, days),
            receivables(sftp, days),
            balances(sftp),
            control_totals(sftp),
            unapplied_cash(sftp),
            differences(sftp),
            results_by_day(sftp, days),
        ],
        asset_checks=[
            arrival_checks(sftp),
            reject_checks(sftp),
            parked_checks(sftp),
            *result_checks(sftp),
        ],
        jobs=build_jobs(),
        schedules=build_schedules(),
        sensors=[sftp_arrivals(sftp), sftp_watch(sftp)],
        resources={"deployment": deployment_resource(settings, connections)},
        executor=EXECUTOR,
    )


def _configured(settings: Settings) -> Connections:
    """Read connections.yaml; where none was named and none is there, the graph is that of a folder in KOLLENO_HOME."""
    if "connections" not in settings.model_fields_set and not settings.connections.exists():
        return {"sftp": SftpConnection(location=(settings.home / "drop").as_uri())}
    return load_connections(settings.connections)


def _sftp(settings: Settings, connections: Connections) -> SftpConnection:
    for connection in connections.values():
        if isinstance(connection, SftpConnection):
            return connection
    raise ConnectionsError(
        f"{settings.connections} holds no connection with `system: sftp`: add one, connections.example.yaml shows how."
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of this deployment; Dagster's tools call it when they load the code location."""
    return build_definitions()
