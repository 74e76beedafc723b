"""One Dagster run of job `reprocess` over a range, with the time spent in our own functions told apart.

    python -m benchmarks.timed_range --from 2025-01-01 --to 2025-12-31

Prints {"seconds": of the run, "work": {function: seconds}}. What is not work is the orchestrator's. No median here.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import json
import pkgutil
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import Any

from kolleno_pipelines import pipeline

_OURS = ("kolleno_pipelines.pipeline", "kolleno_pipelines.storage")
_work: dict[str, float] = {}
_inside = False


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Count the time of the outermost call."""

    @functools.wraps(function)
    def counted(*arguments: Any, **named: Any) -> Any:
        global _inside
        if _inside:
            return function(*arguments, **named)
        _inside, began = True, time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            _inside = False
            _work[function.__name__] = _work.get(function.__name__, 0.0) + time.perf_counter() - began

    return counted


def account() -> None:
    """Put the clock around every function of the use cases, also where the assets and checks hold it already."""
    own = [import_module(f"{pipeline.__name__}.{found.name}") for found in pkgutil.iter_modules(pipeline.__path__)]
    assets = [module for name, module in sys.modules.items() if name.startswith("kolleno_pipelines.assets")]
    clocked: dict[Callable[..., Any], Callable[..., Any]] = {}
    for module in (*own, *assets):
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value.__module__.startswith(_OURS):
                setattr(module, name, clocked.setdefault(value, timed(value)))


def main() -> None:
    """Run the job once on the instance of DAGSTER_HOME."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True)
    wanted = parser.parse_args()
    import dagster as dg

    from kolleno_pipelines.automation.launch import launch
    from kolleno_pipelines.definitions import build_definitions

    account()
    with dg.DagsterInstance.get() as instance:
        launched = launch(instance, build_definitions(), "reprocess", wanted.first, wanted.last)
    if not launched.success:
        sys.exit(f"The run failed: {launched.runs[-1]['error']}")
    if not {"load", "fold"} <= set(_work):
        sys.exit(f"The clock missed what it should count; it saw {sorted(_work)}.")
    print(json.dumps({"seconds": launched.seconds, "work": _work}))


if __name__ == "__main__":
    main()
