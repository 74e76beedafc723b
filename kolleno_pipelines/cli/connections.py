"""`kolleno connections`: how each configured system stands, whether it is reachable, signing in. No payload is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kolleno_pipelines.cli.terminal import CannotRun, end, print_json, print_rows, printable, say

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.connection_states import ConnectionState

group = typer.Typer(help="The systems of connections.yaml.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the group to the command."""
    app.add_typer(group, name="connections")


@group.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show each connection's state: connected, or what a person must do, and what it used this month.

    Ends with 1 when somebody must act, now or soon.
    """
    if context.invoked_subcommand is not None:
        return
    from kolleno_pipelines.pipeline.connection_states import connection_states

    states = connection_states()
    if as_json:
        print_json({"connections": [state.to_json() for state in states]})
    else:
        columns = ("name", "system", "role", "state", "since", "last_success", "signed_in_at", "calls", "received")
        print_rows(columns, [_row(state, columns) for state in states])
        for state in states:
            _tell(state)
    end(findings=any(state.is_asking for state in states))


def _row(state: ConnectionState, columns: tuple[str, ...]) -> list[object]:
    """What a table shows: calls and received bytes are those of this month, of how many."""
    usage = (state.usage.calls, state.usage.egress) if state.usage is not None else (None, None)
    first = [getattr(state, column) for column in columns[:-3]]
    return [*first, state.sign_in or state.signed_in_at, *usage]


def _tell(state: ConnectionState) -> None:
    """Say what a person should know of a connection."""
    if state.reason:
        # Errors of a connection begin with its name.
        say(f"{state.name}: {state.reason.removeprefix(f'{state.name}: ').rstrip('.')}.")
    if state.failed_parts:
        told = f"{state.failed_parts} parts of extracts could not be normalised"
        say(f"{state.name}: {told}; kolleno extract {state.name} tries again, and says why.")
    for warning in state.warnings:
        say(f"{state.name}: {warning}")


@group.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Open each connection, look or ask once, and say what was found; a drop folder needs no database.

    Ends with 1 when something will need a person soon, with 2 when a connection cannot be used.
    """
    from kolleno_pipelines.pipeline.connecting import describe_connections

    outcomes = describe_connections(name)
    if as_json:
        print_json({"connections": [vars(outcome) for outcome in outcomes]})
    for outcome in outcomes:
        for fact in outcome.facts:
            if not as_json:
                print(printable(f"{outcome.name}: {fact}"))
        for warning in outcome.warnings:
            say(f"{outcome.name}: {warning}")
        if outcome.error:
            say(outcome.error)
    failed = [outcome.name for outcome in outcomes if outcome.error]
    if failed and len(outcomes) > 1:
        raise CannotRun(f"{', '.join(failed)} cannot be used; the reasons stand above.")
    if failed:
        raise typer.Exit(2)
    end(findings=any(outcome.warnings for outcome in outcomes))


@group.command()
def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in connections.yaml.")],
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page, or only show it.")] = True,
    paste: Annotated[
        bool, typer.Option("--paste", help="The browser runs elsewhere: paste the address on which it ended.")
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the person.")] = 300.0,
) -> None:
    """Sign in at the vendor: its page opens in a browser, and comes back to this machine."""
    from kolleno_pipelines.pipeline.sign_in import Person, sign_in_connection

    person = Person(say, _open_browser if browser and not paste else None, _ask if paste else None)
    signed_in = sign_in_connection(name, person, timeout=timeout)
    account = ", ".join(f"{key} {value}" for key, value in signed_in.account.items())
    say(f"{name} is connected{f' ({account})' if account else ''}.")
    if signed_in.refresh_expires_at is not None:
        say(f"Unused, the sign-in ends on {signed_in.refresh_expires_at:%Y-%m-%d}.")
    if signed_in.sign_in_ends_at is not None:
        say(f"At the latest it ends on {signed_in.sign_in_ends_at:%Y-%m-%d}.")


@group.command("rotate-key")
def rotate_key() -> None:
    """Encrypt the kept sign-ins with the first key of KOLLENO_SECRET_KEY; the older keys may go afterwards."""
    from kolleno_pipelines.pipeline.sign_in import encrypt_anew

    say(f"The sign-ins of {encrypt_anew()} connections are encrypted with the first key of KOLLENO_SECRET_KEY.")


def _open_browser(url: str) -> bool:
    import webbrowser

    return webbrowser.open(url)


def _ask(question: str) -> str:
    answer: str = typer.prompt(question, err=True)
    return answer
