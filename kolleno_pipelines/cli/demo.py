"""`kolleno demo`: a made-up company over SFTP through the main job, held against the company's own books.

Everything lies in `<home>/demo`. The company and its answers are in demo_company.py, webserver and daemon beside it.
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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolleno_pipelines.cli.terminal import CannotRun, end, print_rows, say, working
from kolleno_pipelines.pipeline import server
from kolleno_pipelines.pipeline.instance import environment, write_instance
from kolleno_pipelines.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from kolleno_pipelines.cli.demo_company import Dropped, Line
    from kolleno_pipelines.pipeline.deployment import Deployment

_CONNECTIONS = """\
# The demo's own connection; written again at every start.
connections:
  sftp:
    system: sftp
    location: {location}
    key_file: {key_file}
    known_hosts: {known_hosts}
    settle: 1s
"""
_LAUNCH = "kolleno_pipelines.automation.launch"


def run_demo(*, ui: bool, with_faults: bool, fresh: bool, port: int) -> None:
    """Make the files, serve them over SFTP, run the main job, compare, print, and (`ui`) keep the UI running.

    Ends with exit code 1 when a figure disagrees. The same day again takes up what is there; another day, other
    options or another version of the company begin afresh. Raises CannotRun.
    """
    from kolleno_pipelines.cli.demo_company import make_files

    began = time.monotonic()
    dropped = make_files(datetime.now(UTC).date(), with_faults=with_faults)
    settings = _own_settings(load_settings().home / "demo", dropped.first_day)
    _begin_afresh_unless_same(settings, "" if fresh else dropped.digest, dropped.digest)
    new = dropped.write(settings.home / "sftp")
    say(f"{len(dropped.files)} files of a made-up company in {settings.home / 'sftp'}, {new} of them new.")
    with _served(settings):
        with working("Starting PostgreSQL"):
            server.start(settings)
            write_instance(settings)
        _run_job(settings, dropped.first_day, dropped.today)
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
    blank = ("DATABASE_URL", "DAGSTER_DATABASE_URL", "WEBHOOK_URL")
    return {
        **environment(settings),
        **{f"{PREFIX}{name}": "" for name in blank},
        f"{PREFIX}ENV_FILE": os.devnull,
        f"{PREFIX}FIRST_DAY": settings.first_day.isoformat(),
    }


def _begin_afresh_unless_same(settings: Settings, wanted: str, digest: str) -> None:
    """Empty the demo's folder when it holds other files than these. Raises CannotRun while its UI runs."""
    from kolleno_pipelines.cli.dagster_servers import running_process

    home, note = settings.home, settings.home / "demo.json"
    if _noted(note).get("files") == wanted:
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


def _noted(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _served(settings: Settings) -> Iterator[None]:
    """Serve the files over SFTP while the block runs, on the port of last time, where another demo may serve them."""
    from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer

    note = settings.home / "demo.json"
    known = _noted(note)
    sftp = SandboxSftpServer(settings.home / "sftp", settings.home / "sftp_keys", port=int(known.get("port", 0)))
    try:
        sftp.start()
        ours = True
    except OSError:
        if not known.get("port"):
            raise
        ours = False
        say(f"An SFTP server listens on port {sftp.port} already; it is taken for that of another demo.")
    try:
        note.write_text(json.dumps({**known, "port": sftp.port}), encoding="utf-8")
        text = _CONNECTIONS.format(location=sftp.location, key_file=sftp.key_file, known_hosts=sftp.known_hosts)
        settings.connections.write_text(text, encoding="utf-8")
        yield
    finally:
        if ours:
            sftp.stop()


def _run_job(settings: Settings, first: date, last: date) -> None:
    """Run the main Dagster job over the range in a process of its own. Raises CannotRun with what it said."""
    command = [sys.executable, "-m", _LAUNCH, "--job", "sftp", "--from", first.isoformat(), "--to", last.isoformat()]
    variables = {**os.environ, **_apart(settings)}
    with working(f"Running job sftp for {first} to {last}"):
        log = settings.home / "job.log"
        with log.open("wb") as errors:
            done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=errors, check=False)
    said = done.stdout.decode().strip().splitlines()
    if not said:
        reasons = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise CannotRun(f"Job sftp could not run: {reasons[-1] if reasons else 'it said nothing'} (see {log}).")
    summary = json.loads(said[-1])
    if not summary["success"]:
        raise CannotRun(f"Job sftp failed: {summary['runs'][-1]['error']} (see {log}).")
    seconds, loading = summary["seconds"], summary["loading_seconds"]
    say(f"Job sftp ran for {first} to {last} in {seconds:.0f} s, after {loading:.0f} s of loading.")


def _show(settings: Settings, dropped: Dropped) -> bool:
    """Print the figures beside the company's own; returns whether all agree."""
    from kolleno_pipelines.pipeline.deployment import open_deployment

    deployment = open_deployment(settings)
    lines = list(_lines(deployment, dropped))
    print_rows(
        ("figure", "the company's books", "the pipeline", ""),
        ((line.what, line.expected, line.computed, "agrees" if line.agrees else "DISAGREES") for line in lines),
        title=f"A company of {len(dropped.company.batches)} batches, {dropped.first_day} to {dropped.today}",
    )
    wrong = sum(not line.agrees for line in lines)
    print(f"{len(lines)} figures: {'all agree' if not wrong else f'{wrong} disagree'} with the sandbox's own answers.")
    return not wrong


def _lines(deployment: Deployment, dropped: Dropped) -> Iterator[Line]:
    from kolleno_pipelines.cli.demo_company import Line, compare
    from kolleno_pipelines.pipeline.reports import report

    def rows(name: str) -> list[Mapping[str, Any]]:
        return list(report(name, deployment.database_url, deployment.connections, dropped.today))

    opening = sum(row["is_opening"] for row in rows("balances"))
    yield from compare(dropped, rows("control-totals"), rows("ageing"), opening)
    for expected in dropped.expected:
        found = set(_codes(deployment, expected.file or ""))
        computed = expected.code.value if expected.code.value in found else ", ".join(sorted(found)) or "nothing found"
        yield Line(str(expected.file), expected.code.value, computed)


def _codes(deployment: Deployment, name: str) -> Iterable[str]:
    from kolleno_pipelines.pipeline.file_views import NoSuchFileError, file_view

    try:
        view = file_view(deployment, deployment.sftp, name)
    except NoSuchFileError:
        return
    yield from (finding.code for finding in view.findings)
    yield from (finding["code"] for row in view.rejected for finding in row.findings)


def _say_how_to_go_on(settings: Settings, invoice: str) -> None:
    """Print commands that work as they are printed, whatever the operator's own settings and folder are."""
    variables = {name: value for name, value in _apart(settings).items() if name.startswith(PREFIX)}
    own = Path(sysconfig.get_path("scripts")) / "kolleno"
    kolleno = "kolleno" if shutil.which("kolleno") == str(own) else shlex.quote(str(own))
    say("Look further, in a shell with the demo's own settings:")
    say(f"  export {' '.join(f'{name}={shlex.quote(value)}' for name, value in variables.items())}")
    for words in ("files", "report ageing", "report differences", f"trace invoices {shlex.quote(invoice)}"):
        say(f"  {kolleno} {words}")
    say("The demo's PostgreSQL keeps running. This stops it, in the same shell:")
    say(f"  {kolleno} db stop")
