"""The deployment as runs, checks and sensors get it: opened at first use, closed with them. No work is done here."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property

import dagster as dg

from kolleno_pipelines.connections import Connection, Connections
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.runs import RunMark, in_flight
from kolleno_pipelines.settings import Settings


class DeploymentResource:
    """Opens the deployment that the definitions were built for; marks its run as alive while that works."""

    def __init__(self, settings: Settings, connections: Connections, run_id: str | None) -> None:
        self.settings = settings
        self.run_id = run_id
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

    def close(self) -> None:
        """Let go of what is held open."""
        if self._mark is not None:
            self._mark.close()


def deployment_resource(settings: Settings, connections: Connections) -> dg.ResourceDefinition:
    """Return the resource `deployment`: one DeploymentResource per process of a run, or per tick of a sensor."""

    def opened(context: dg.InitResourceContext) -> Iterator[DeploymentResource]:
        resource = DeploymentResource(settings, connections, context.run.run_id if context.run else None)
        try:
            yield resource
        finally:
            resource.close()

    return dg.ResourceDefinition(
        resource_fn=contextmanager(opened), description="Settings, connections, database and archive of this company."
    )
