"""Ticks a sensor of the definitions by hand, carrying its cursor along as the daemon does. No assertions."""

from __future__ import annotations

import dagster as dg


class Ticker:
    """One sensor on one instance; every tick gets the cursor that the last good one left."""

    def __init__(self, name: str, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions, self._instance = definitions, instance
        self._sensor = definitions.resolve_sensor_def(name)
        self.cursor: str | None = None
        self.result: dg.SensorResult | None = None

    def tick(self) -> list[dg.RunRequest]:
        """Tick once; returns what is asked for. The cursor stays when the tick raises."""
        repository = self._definitions.get_repository_def()
        context = dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            repository_def=repository,
            sensor_name=self._sensor.name,
            resources=repository.get_top_level_resources(),
        )
        with context:
            result = self._sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.result = result
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def forget(self) -> None:
        """Lose the cursor."""
        self.cursor = None
