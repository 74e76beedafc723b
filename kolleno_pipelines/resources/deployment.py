"""The deployment as runs, checks and sensors get it: opened at first use, closed with them. No work is done here."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property

import dagster as dg

from kolleno_pipelines.connections import Connection, Connections
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.runs import RunMark, in_flight, now_there
from kolleno_pipelines.settings import Settings

#: Marks the runs that a sensor asked for, and says why.
BECAUSE_OF = "kolleno/because_of"


class DeploymentResource:
    """Opens the deployment that the definitions were built for; marks its run as alive while that works.

    by_sensor: a sensor asked for the run, no person.
    """

    def __init__(
        self, settings: Settings, connections: Connections, run_id: str | None, *, by_sensor: bool = False
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self._by_sensor = by_sensor
        self._connections = connections
        self._mark: RunMark | None = None

    @cached_property
    def _opened(self) -> Deployment:
        return open_deployment(self.settings, self._connections)

    @property
    def deployment(self) -> Deployment:
        """The deployment: database started and migrated. Raises DatabaseError or EmbeddedError."""
        deployment = self._opened
        if self.run_id is not None:
            self._mark = self._mark or RunMark(deployment, self.run_id)
            self._mark.renew()
        return deployment

    @contextmanager
    def working(self, connection: Connection, days: Collection[date]) -> Iterator[Deployment]:
        """Give the deployment while a connection's days are locked. Raises DayBusyError after ten minutes."""
        deployment = self.deployment
        with in_flight(deployment, connection, days):
            yield deployment

    @property
    def taken_over_since(self) -> datetime | None:
        """From when on results that other runs compute need not be computed by this one: since it first asked for one.

        None in a run that a person asked for: it computes itself, by the settings as they are now.
        """
        return self._asked_at if self._by_sensor else None

    @cached_property
    def _asked_at(self) -> datetime:
        return now_there(self.deployment)

    def close(self) -> None:
        """Let go of what is held open."""
        if self._mark is not None:
            self._mark.close()


def deployment_resource(settings: Settings, connections: Connections) -> dg.ResourceDefinition:
    """Return the resource `deployment`: one DeploymentResource per process of a run, or per tick of a sensor."""

    def opened(context: dg.InitResourceContext) -> Iterator[DeploymentResource]:
        run = context.run
        by_sensor = run is not None and BECAUSE_OF in run.tags
        resource = DeploymentResource(settings, connections, run.run_id if run else None, by_sensor=by_sensor)
        try:
            yield resource
        finally:
            resource.close()

    return dg.ResourceDefinition(
        resource_fn=contextmanager(opened), description="Settings, connections, database and archive of this company."
    )
