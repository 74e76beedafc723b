"""`kolleno differences`: a person accepts a break or opens it again, with a reason. No break is found here."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from kolleno_pipelines.cli.choices import Day
from kolleno_pipelines.cli.terminal import say

group = typer.Typer(help="Breaks: accept them, open them again.", no_args_is_help=True, rich_markup_mode=None)

BreakId = Annotated[str, typer.Argument(metavar="ID", help="The break's id, as `kolleno report differences` shows it.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, kept with the decision.")]


def add_to(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group, name="differences")


@group.command()
def accept(
    break_id: BreakId,
    why: Why,
    until: Annotated[date | None, Day("--until", "Last day for which it holds; no end when left out.")] = None,
) -> None:
    """Accept a break as it is: it stays listed and is no longer red, until its amount changes or the day has passed."""
    from kolleno_pipelines.pipeline import acceptance
    from kolleno_pipelines.pipeline.clock import utc_now
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.person import operator_name

    deployment = open_deployment()
    acceptance.accept(
        deployment.database_url, break_id, why=why, by=operator_name(), today=utc_now().date(), until=until
    )
    say(f"{break_id} is accepted{f' until {until}' if until else ''}.")


@group.command()
def reopen(break_id: BreakId, why: Why) -> None:
    """Take an acceptance back."""
    from kolleno_pipelines.pipeline import acceptance
    from kolleno_pipelines.pipeline.deployment import open_deployment
    from kolleno_pipelines.pipeline.person import operator_name

    acceptance.reopen(open_deployment().database_url, break_id, why=why, by=operator_name())
    say(f"{break_id} is open again.")
