"""How long the definitions take to load, in a process of their own. Runs are not measured here."""

from __future__ import annotations

import time

from benchmarks.lines import Line, middle
from benchmarks.site import Site

_LOAD = "from kolleno_pipelines.definitions import build_definitions; build_definitions().get_repository_def()"


def measure(site: Site, repeats: int) -> list[Line]:
    """Time a process that loads and resolves the definitions and ends."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        site.run_child("-c", _LOAD)
        seconds.append(time.perf_counter() - began)
    return [Line("definitions", middle(seconds), "s", 3.0, "process start and Dagster's own import included")]
