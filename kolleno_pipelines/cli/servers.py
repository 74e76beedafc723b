"""`kolleno dev`, `env` and `demo`: the UI with its daemon, the same Dagster instance for other tools. No pipeline."""

from __future__ import annotations

import re
import shlex
from typing import Annotated

import typer

from kolleno_pipelines.cli.terminal import say

Port = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="The UI's port; the next free one when it is taken.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)
    app.command("dev")(dev)
    app.command("env")(env)


def demo(
    no_ui: Annotated[bool, typer.Option("--no-ui", help="End after the summary.")] = False,
    with_faults: Annotated[bool, typer.Option("--with-faults", help="Also drop files that are wrong.")] = False,
    with_break: Annotated[
        bool, typer.Option("--with-break", help="Plant one difference in one system, which agreement must name.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an earlier demo and begin with nothing.")] = False,
    port: Port = 3000,
) -> None:
    """Run everything on embedded parts: a made-up company by QuickBooks, Xero and SFTP, reconciled and compared."""
    from kolleno_pipelines.cli.demo import run_demo

    run_demo(ui=not no_ui, with_faults=with_faults, with_break=with_break, fresh=fresh, port=port)


def dev(
    port: Port = 3000,
    host: Annotated[str, typer.Option("--host", help="Address the UI listens on.")] = "127.0.0.1",
) -> None:
    """Run the UI and the daemon (sensors, schedules, backfills) until Ctrl-C; the database keeps running."""
    from kolleno_pipelines.cli.dagster_servers import run_servers
    from kolleno_pipelines.connections import load_connections
    from kolleno_pipelines.pipeline.server import start
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    load_connections(settings.connections)  # a bad file is one sentence here, not a red location in the UI
    start(settings)
    run_servers(settings, host=host, port=port, say=say)


def env() -> None:
    """Print the environment of this Dagster instance: `eval $(kolleno env)` gives it to any other Dagster tool."""
    from kolleno_pipelines.pipeline.instance import environment, write_instance
    from kolleno_pipelines.pipeline.server import start
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    start(settings)  # a service that begins with this migrates the database at its start, not at its first run
    write_instance(settings)
    for name, value in environment(settings).items():
        print(f"export {name}={_quoted(value)};")


def _quoted(value: str) -> str:
    """Quoted so that it survives `eval $(...)`, where the shell splits and globs the words before eval sees them."""
    if re.search(r"[*?\[\t\n]|  ", value):
        return "$'" + re.sub(r"[^A-Za-z0-9_./:-]", lambda match: _escaped(match[0]), value) + "'"
    return shlex.quote(value)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
