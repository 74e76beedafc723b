"""Runs jobs for ranges of days in this process, on the instance of DAGSTER_HOME; a JSON line for each. No schedule.

    python -m kolleno_pipelines.automation.launch --job sftp --from 2026-01-01 --to 2026-03-31 [--no-reload]

Several jobs, each with its own --from and --to, run one after the other until one fails; they are loaded once.
Exit codes: 0 every run succeeded, 1 a run failed, 2 it could not start (one sentence on stderr).

The same through the running webserver is a backfill: docs/reprocess.md has the GraphQL call.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

#: Materialisation events of a range are written in batches; one by one they take twice as long.
EVENT_BATCH = "500"


@dataclass
class Launched:
    """What the runs of a job did; `seconds` from the first start to the last end, without loading the definitions."""

    job: str
    first_day: str
    last_day: str
    success: bool
    seconds: float
    loading_seconds: float
    runs: list[dict[str, object]] = field(default_factory=list)


class CannotStartError(Exception):
    """What was asked for cannot be run; the text is one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    wanted = _parser().parse_args(arguments)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH)
    begun = time.monotonic()
    from kolleno_pipelines.pipeline.sentences import sentence

    try:
        for launched in _launches(wanted):
            launched.loading_seconds = round(time.monotonic() - begun - launched.seconds, 3)
            sys.stdout.write(f"{json.dumps(asdict(launched))}\n")
            sys.stdout.flush()
            if not launched.success:
                return 1
            begun = time.monotonic()
    except Exception as error:  # noqa: BLE001 - a script gets one sentence, never a traceback
        told = str(error) if isinstance(error, CannotStartError) else sentence(error)
        sys.stderr.write(f"{told}\n")
        return 2
    return 0


def _launches(wanted: argparse.Namespace) -> Iterator[Launched]:
    from kolleno_pipelines.automation.own_runs import SITE_TAG, site_of
    from kolleno_pipelines.definitions import build_definitions
    from kolleno_pipelines.pipeline.preparation import load_libraries
    from kolleno_pipelines.pipeline.server import start
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    ranges = _ranges(wanted, settings.first_day)
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise CannotStartError("DAGSTER_HOME is not set, so there is no Dagster instance: eval $(kolleno env) sets it.")
    definitions = build_definitions(settings)
    jobs = [job.name for job in definitions.jobs or ()]
    for job in wanted.job:
        if job not in jobs:
            raise CannotStartError(f"There is no job {job} for {settings.connections}; there is {', '.join(jobs)}.")
    start(settings)
    load_libraries()
    with _instance(home) as instance:
        for job, (first, last) in zip(wanted.job, ranges, strict=True):
            yield launch(
                instance,
                definitions,
                job,
                first,
                last,
                reload=wanted.reload,
                run_days=wanted.run_days,
                tags={SITE_TAG: site_of(settings)},
            )


def _ranges(wanted: argparse.Namespace, first_day: date) -> list[tuple[date, date]]:
    """Return the days of each job. Raises CannotStartError."""
    from kolleno_pipelines.pipeline.days import DaysError, days_within

    if not len(wanted.job) == len(wanted.first) == len(wanted.last):
        raise CannotStartError("Each --job has its own --from and --to.")
    today = datetime.now(UTC).date()
    try:
        return [days_within(*days, first_day, today) for days in zip(wanted.first, wanted.last, strict=True)]
    except DaysError as error:
        raise CannotStartError(str(error)) from None


def _instance(home: str) -> "dg.DagsterInstance":
    import dagster as dg

    try:
        return dg.DagsterInstance.get()
    except Exception as error:
        why = " ".join(str(error).split())
        raise CannotStartError(
            f"The Dagster instance of {home} cannot be opened ({why}): does the database of its dagster.yaml run?"
        ) from error


def launch(
    instance: "dg.DagsterInstance",
    definitions: "dg.Definitions",
    job: str,
    first: date,
    last: date,
    *,
    reload: bool = True,
    run_days: int | None = None,
    tags: dict[str, str] | None = None,
) -> Launched:
    """Execute a job for [first, last] in this process, in one run unless `run_days` cuts it, until a run fails."""
    from kolleno_pipelines.assets.partitions import range_tags, ranges
    from kolleno_pipelines.automation.kept_connections import keep_connections

    keep_connections(instance)
    definition = definitions.resolve_job_def(job)
    config = {"ops": {step: {"config": {"reload": reload}} for step in _loading_steps(definition)}}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    launched = Launched(job, first.isoformat(), last.isoformat(), True, 0.0, 0.0)
    begun = time.monotonic()
    for start, end in ranges(days, run_days or len(days)):
        run_begun, run_tags = time.monotonic(), (tags or {}) | range_tags(start, end)
        result = definition.execute_in_process(
            instance=instance, run_config=config, tags=run_tags, raise_on_error=False
        )
        seconds = round(time.monotonic() - run_begun, 3)
        launched.runs.append(_summary(instance, result, start, end, seconds))
        launched.success = launched.success and result.success
        if not result.success:
            break
    launched.seconds = round(time.monotonic() - begun, 3)
    return launched


def _loading_steps(definition: "dg.JobDefinition") -> list[str]:
    """Return the steps of a job that ask whether to take again what they took: loading files, normalising payloads."""
    fields = {node.name: getattr(node.definition, "config_field", None) for node in definition.nodes}
    return [
        name
        for name, field in fields.items()
        if field is not None and "reload" in getattr(field.config_type, "fields", {})
    ]


def _summary(
    instance: "dg.DagsterInstance", result: "dg.ExecuteInProcessResult", first: date, last: date, seconds: float
) -> dict[str, object]:
    from kolleno_pipelines.automation.run_failures import reason_of

    return {
        "run_id": result.run_id,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "success": result.success,
        "seconds": seconds,
        "error": None if result.success else reason_of(instance, result.run_id),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kolleno_pipelines.automation.launch", description=__doc__)
    jobs = "sftp, read_<connection>, reprocess or reconciliation"
    parser.add_argument("--job", action="append", required=True, metavar="JOB", help=jobs)
    for option, name in (("--from", "first"), ("--to", "last")):
        parser.add_argument(option, dest=name, action="append", type=date.fromisoformat, required=True, metavar="DAY")
    parser.add_argument(
        "--reload", action=argparse.BooleanOptionalAction, default=True, help="load again what is loaded (default)"
    )
    parser.add_argument("--run-days", type=int, default=None, metavar="N", help="cut into runs of at most N days")
    return parser


if __name__ == "__main__":
    sys.exit(main())
