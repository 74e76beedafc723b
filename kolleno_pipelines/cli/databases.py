"""`kolleno db`: the database is started, stopped, opened to an analyst. What is stored does not belong here."""

from __future__ import annotations

from typing import Annotated

import typer

from kolleno_pipelines.cli.terminal import say

_PASSWORD = "KOLLENO_ANALYST_PASSWORD"  # noqa: S105 - the name of a variable

group = typer.Typer(help="The database: start, stop, read access.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group, name="db")


@group.command()
def start() -> None:
    """Start the embedded PostgreSQL (or reach the one of KOLLENO_DATABASE_URL) and bring its tables up to date."""
    from kolleno_pipelines.pipeline import server
    from kolleno_pipelines.settings import load_settings

    found = server.start(load_settings())
    if found.is_embedded:
        say(f"PostgreSQL runs as process {found.pid} under account {found.account}; its log is in {found.log_folder}.")
        print(found.place)
    else:
        say(f"Ready: {found.place}.")


@group.command()
def stop() -> None:
    """Stop the embedded PostgreSQL. Nothing else ever does."""
    from kolleno_pipelines.pipeline import server
    from kolleno_pipelines.settings import load_settings

    settings = load_settings()
    stopped = server.stop(settings)
    say("PostgreSQL has stopped." if stopped else f"No PostgreSQL runs in {settings.home}.")


@group.command("grant-analyst")
def grant_analyst(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The analyst's role in PostgreSQL.")],
    create: Annotated[
        bool, typer.Option("--create", help=f"Create the role if need be; its password comes from {_PASSWORD}.")
    ] = False,
) -> None:
    """Let a role read schema `reporting` and nothing else."""
    from kolleno_pipelines.pipeline import server
    from kolleno_pipelines.settings import environment, load_settings

    password = environment().get(_PASSWORD)
    created = server.grant_analyst(load_settings(), role, create=create, password=password)
    if created and not password:
        say(f"Role {role} was created without a password; it can log in once ALTER ROLE ... PASSWORD gives it one.")
    if create and not created:
        say(f"Role {role} was there already; its password is as it was (ALTER ROLE ... PASSWORD changes it).")
    say(f"Role {role} may read schema reporting, and nothing else of ours.")
