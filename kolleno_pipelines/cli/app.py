"""The command as a whole: its groups, its exit codes, what an error looks like. What a command does lies beside it.

Exit codes: 0 fine, 1 there are findings somebody should look at, 2 it could not run (one sentence on stderr).
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from kolleno_pipelines.cli import (
    batches,
    comparisons,
    connections,
    databases,
    deliveries,
    differences,
    files,
    replays,
    reports,
    servers,
    traces,
)
from kolleno_pipelines.cli.terminal import say

app = typer.Typer(
    name="kolleno",
    help="Accounts receivable from ERPs, CSV drops and payment providers: validated, normalised, reconciled.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
servers.add_to(app)
databases.add_to(app)
deliveries.add_to(app)
files.add_to(app)
traces.add_to(app)
batches.add_to(app)
replays.add_to(app)
reports.add_to(app)
differences.add_to(app)
comparisons.add_to(app)
connections.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(version("kolleno-pipelines"))
        except PackageNotFoundError:  # run from a source tree that nobody installed
            print("0.0.0")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Accounts receivable: validated, normalised, reconciled to the cent."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    _speak_plainly()
    try:
        code = app([word for word in given if word != "--debug"], prog_name="kolleno", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except KeyboardInterrupt:
        print("Interrupted. What was committed stays; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - an operator never sees a traceback unasked
        if debug:
            traceback.print_exc()
        say(_told(error))
        return 2


def _told(error: Exception) -> str:
    """The one sentence of an error; errors of the command line itself say where its help is."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        from kolleno_pipelines.pipeline.sentences import sentence

        return sentence(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "kolleno"
    return f"{' '.join(str(format_message()).split()).rstrip('.')}. ({path} --help shows how.)"


def _speak_plainly() -> None:
    """Warnings of our own modules are sentences on stderr; libraries that log what they raise anyway are still."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for library in ("paramiko", "asyncssh", "alembic", "sqlalchemy"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
