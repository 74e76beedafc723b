"""`kolleno demo`: a made-up company from four systems to agreement, held against the company's own books.

Everything lies in `<home>/demo`. The company is in demo_company.py, what serves it in demo_vendors.py, the comparison
in demo_figures.py and demo_payouts.py; webserver and daemon beside them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from kolleno_pipelines.cli.demo_company import SFTP
from kolleno_pipelines.cli.demo_vendors import (
    SECRET_KEY,
    VENDORS,
    make_secrets,
    noted,
    secrets_file,
    served,
    sign_in,
)
from kolleno_pipelines.cli.terminal import CannotRun, end, say, working
from kolleno_pipelines.pipeline import server
from kolleno_pipelines.pipeline.instance import environment, write_instance
from kolleno_pipelines.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from kolleno_pipelines.cli.demo_company import Dropped

_LAUNCH = "kolleno_pipelines.automation.launch"


def run_demo(*, ui: bool, with_faults: bool, with_break: bool, fresh: bool, port: int) -> None:
    """Make the company, serve it by four systems, run their jobs, compare, print, and (`ui`) keep the UI running.

    Ends with exit code 1 when a figure disagrees, or the agreement names anything but the planted break. The same day
    again takes up what is there; another day, other options or another version of the company begin afresh. Raises
    CannotRun.
    """
    from kolleno_pipelines.cli.demo_company import make_company

    began = time.monotonic()
    dropped = make_company(datetime.now(UTC), with_faults=with_faults, with_break=with_break)
    settings = _own_settings(load_settings().home / "demo", dropped.first_day)
    _begin_afresh_unless_same(settings, "" if fresh else dropped.digest, dropped.digest)
    new = dropped.write(settings.home / "sftp")
    say(f"{len(dropped.files)} files of a made-up company in {settings.home / 'sftp'}, {new} of them new.")
    known_secrets = make_secrets(settings.home)
    settings = settings.model_copy(update={"secret_key": SecretStr(known_secrets[SECRET_KEY])})
    os.environ.update(_apart(settings))
    with served(settings, dropped, known_secrets):
        with working("Starting PostgreSQL"):
            server.start(settings)
            write_instance(settings)
        sign_in(settings)
        _run_jobs(settings, dropped)
        agrees = _show(settings, dropped)
        say(f"Took {time.monotonic() - began:.0f} s.")
        _say_how_to_go_on(settings, dropped.an_invoice)
        if ui and agrees:
            from kolleno_pipelines.cli.dagster_servers import run_servers

            run_servers(settings, host="127.0.0.1", port=port, say=say, own_workspace=True, extra=_apart(settings))
    end(findings=not agrees)


def _own_settings(home: Path, first_day: date) -> Settings:
    """Settings that owe nothing to the operator's own, so that a demo never touches a real deployment."""
    return Settings(
        home=home,
        connections=home / "connections.yaml",
        archive=str(home / "archive"),
        database_url=None,
        dagster_database_url=None,
        webhook_url=None,
        first_day=first_day,
    )


def _apart(settings: Settings) -> dict[str, str]:
    """Environment of the demo's processes: its own settings, and none of the operator's."""
    blank = ("DATABASE_URL", "DAGSTER_DATABASE_URL", "WEBHOOK_URL", "SECRET_KEY")
    return {
        **environment(settings),
        **{f"{PREFIX}{name}": "" for name in blank},
        f"{PREFIX}ENV_FILE": str(secrets_file(settings.home)),
        f"{PREFIX}FIRST_DAY": settings.first_day.isoformat(),
    }


def _begin_afresh_unless_same(settings: Settings, wanted: str, digest: str) -> None:
    """Empty the demo's folder when it holds other files than these. Raises CannotRun while its UI runs."""
    from kolleno_pipelines.cli.dagster_servers import running_process

    home, note = settings.home, settings.home / "demo.json"
    if noted(note).get("files") == wanted:
        return
    if home.exists() and any(home.iterdir()):
        if (process := running_process(home)) is not None:
            raise CannotRun(f"The UI of an earlier demo still runs (process {process}): end it, then try again.")
        say(f"{home} holds another demo; it is emptied and begun afresh.")
        server.remove(settings)
        shutil.rmtree(home)
    # Root's folders are passable: the account that runs PostgreSQL for root must reach its own below them.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    home.parent.parent.mkdir(parents=True, exist_ok=True)
    home.parent.mkdir(mode=mode, exist_ok=True)
    home.mkdir(mode=mode, exist_ok=True)
    note.write_text(json.dumps({"files": digest}), encoding="utf-8")


def _run_jobs(settings: Settings, dropped: Dropped) -> None:
    """Run the Dagster jobs in one process of their own, the mirrors' after the ledger's. Raises CannotRun.

    The systems that are asked tell everything the first time, whatever the day: their jobs run for today. The files
    are of days, and so is their job.
    """
    today = datetime.now(UTC).date()
    jobs = [(f"read_{name}", today, today) for name in VENDORS]
    jobs.append(("sftp", dropped.first_day, dropped.today))
    command = [sys.executable, "-m", _LAUNCH]
    for name, first, last in jobs:
        command += ["--job", name, "--from", first.isoformat(), "--to", last.isoformat()]
    log = settings.home / "job.log"
    with working("Running the jobs"), log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None  # noqa: S101 - for the type checker
        try:
            told = [_say_what_ran(json.loads(line)) for line in process.stdout]
        finally:
            process.wait()
    if len(told) == len(jobs) and all(summary["success"] for summary in told):
        return
    failed = jobs[len([summary for summary in told if summary["success"]])][0]
    if told and not told[-1]["success"]:
        raise CannotRun(f"Job {failed} failed: {told[-1]['runs'][-1]['error']} (see {log}).")
    reasons = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise CannotRun(f"Job {failed} could not run: {reasons[-1] if reasons else 'it said nothing'} (see {log}).")


def _say_what_ran(summary: dict[str, Any]) -> dict[str, Any]:
    first, last = summary["first_day"], summary["last_day"]
    days = first if first == last else f"{first} to {last}"
    if summary["success"]:
        loading = f", after {summary['loading_seconds']:.0f} s of loading" if summary["loading_seconds"] > 1 else ""
        say(f"Job {summary['job']} ran for {days} in {summary['seconds']:.0f} s{loading}.")
    return summary


def _show(settings: Settings, dropped: Dropped) -> bool:
    """Print the figures, the agreement and the payouts; returns whether all is as it must be."""
    from kolleno_pipelines.cli.demo_figures import show_agreement, show_figures
    from kolleno_pipelines.cli.demo_payouts import show_payouts
    from kolleno_pipelines.pipeline.deployment import open_deployment

    deployment = open_deployment(settings)
    figures_agree = show_figures(deployment, dropped)
    mirrors_agree = show_agreement(deployment, dropped)
    return show_payouts(deployment, dropped) and mirrors_agree and figures_agree


def _say_how_to_go_on(settings: Settings, invoice: str) -> None:
    """Print commands that work as they are printed, whatever the operator's own settings and folder are."""
    variables = {name: value for name, value in _apart(settings).items() if name.startswith(PREFIX)}
    own = Path(sysconfig.get_path("scripts")) / "kolleno"
    kolleno = "kolleno" if shutil.which("kolleno") == str(own) else shlex.quote(str(own))
    say("Look further, in a shell with the demo's own settings:")
    say(f"  export {' '.join(f'{name}={shlex.quote(value)}' for name, value in variables.items())}")
    for words in (
        "connections",
        "files",
        "report ageing",
        "report agreement",
        "report payouts",
        "report differences",
        f"trace invoices {shlex.quote(invoice)} --connection {SFTP}",
    ):
        say(f"  {kolleno} {words}")
    say("The demo's PostgreSQL keeps running. This stops it, in the same shell:")
    say(f"  {kolleno} db stop")
