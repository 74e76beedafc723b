"""`kolleno connections`: is each configured system reachable, and is it the right one? Nothing is read or written."""

from __future__ import annotations

from typing import Annotated

import typer

from kolleno_pipelines.cli.terminal import CannotRun, print_json, printable, say

group = typer.Typer(help="The systems of connections.yaml.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group, name="connections")


@group.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Open each connection, look, and say what was found; needs no database."""
    from kolleno_pipelines.pipeline.connecting import describe_connections

    outcomes = describe_connections()
    if as_json:
        print_json({"connections": [vars(outcome) for outcome in outcomes]})
    for outcome in outcomes:
        for fact in outcome.facts:
            if not as_json:
                print(printable(f"{outcome.name}: {fact}"))
        if outcome.error:
            say(outcome.error)
    failed = [outcome.name for outcome in outcomes if outcome.error]
    if failed and len(outcomes) > 1:
        raise CannotRun(f"{', '.join(failed)} cannot be used; the reasons stand above.")
    if failed:
        raise typer.Exit(2)
