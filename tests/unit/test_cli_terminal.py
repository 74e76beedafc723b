"""How the command talks: exit codes, quoting for `eval`, tables, CSV."""

from __future__ import annotations

import csv
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import typer

from kolleno_pipelines.cli import terminal
from kolleno_pipelines.cli.app import main
from kolleno_pipelines.cli.choices import parse_day
from kolleno_pipelines.cli.servers import _quoted
from kolleno_pipelines.pipeline.sentences import sentence
from kolleno_pipelines.settings import SettingsError


@pytest.mark.parametrize(
    "value", ["/plain/home", "a b", "a  b", "it's", "$HOME `id` \\x", "new\nline", "gl*b[a]?", "ü é"]
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_what_env_prints_survives_eval(tmp_path: Path, value: str, quote: str) -> None:
    """`eval $(kolleno env)`, with quotes around the substitution and without, where the shell splits and globs."""
    (tmp_path / "globbed").touch()
    printed = tmp_path / "printed"
    printed.write_text(f"export A={_quoted(value)};\nexport B=2;\n", encoding="utf-8")
    script = f'eval {quote}$(cat {printed}){quote}; printf "%s" "$A"; test "$B" = 2'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == value


def test_usage_errors_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["nonsense"], ["report"], ["files", "--from", "yesterday"], ["check"], ["batches", "--nope"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert "--help shows how" in err


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    groups = ("db", "files", "batches", "differences", "connections")
    commands = ("demo", "dev", "env", "check", "ingest", "rejects", "reprocess", "trace", "report")
    deeper = ("db start", "db stop", "db grant-analyst", "files show", "batches release", "batches skip")
    for words in (*groups, *commands, *deeper, "differences accept", "differences reopen", "connections check"):
        assert main([*words.split(), "--help"]) == 0
        assert "Usage: kolleno " + words in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count(".") >= 1


def test_days_are_iso_or_refused() -> None:
    assert parse_day("2026-03-31") == date(2026, 3, 31)
    for text in ("2026-02-30", "20260331", "31/03/2026", ""):
        with pytest.raises(typer.BadParameter):
            parse_day(text)


def test_sentences_of_our_errors_stand_and_others_are_named() -> None:
    assert sentence(SettingsError("KOLLENO_HOME is wrong.")) == "KOLLENO_HOME is wrong."
    assert sentence(PermissionError(13, "Permission denied", "/x/y")) == "/x/y: Permission denied."
    told = sentence(KeyError("gone"))
    assert "KeyError" in told
    assert "--debug" in told
    assert "\n" not in sentence(RuntimeError("two\nlines"))


def test_tables_in_a_pipe_are_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    terminal.print_rows(("name", "amount", "when"), [(long, Decimal("1.50"), datetime(2026, 1, 2, 3, 4, tzinfo=UTC))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [long, "1.50", "2026-01-02", "03:04:00"]
    assert lines == [line.rstrip() for line in lines]
    terminal.print_rows(("value",), [("[bold]no markup[/bold]",), (None,), (["a", "b"],), ({"USD": 1},)])
    assert capsys.readouterr().out.splitlines()[1:] == ["[bold]no markup[/bold]", "", "a, b", "USD: 1"]


def test_csv_is_written_whole_and_says_lists_as_json(tmp_path: Path) -> None:
    rows = [{"a": "x,y", "b": None, "c": [{"d": Decimal("0.01")}]}, {"a": 'say "hi"', "b": True, "c": []}]
    terminal.write_csv(tmp_path / "out.csv", ["a", "b", "c"], rows)
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text == 'a,b,c\n"x,y",,"[{""d"": ""0.01""}]"\n"say ""hi""",yes,[]\n'
    with pytest.raises(terminal.CannotRun, match="is a folder; name a file in it"):
        terminal.write_csv(tmp_path, ["a"], rows)
    with pytest.raises(terminal.CannotRun, match=r"no/out\.csv cannot be written: No such file"):
        terminal.write_csv(tmp_path / "no" / "out.csv", ["a"], rows)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_json_holds_what_python_has() -> None:
    assert terminal.plain(date(2026, 1, 2)) == "2026-01-02"
    assert terminal.plain({"b", "a"}) == ["a", "b"]
    with pytest.raises(TypeError):
        terminal.plain(object())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller & Søn 株式会社 'x'", "Müller & Søn 株式会社 'x'"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\r\tc", "a\\x0ab\\x0d\\x09c"),
        ("\x9b31mred", "\\x9b31mred"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("1\u00a0000\u202f000", "1 000 000"),
        ("\udc80 \U000e0001", "\\udc80 \\U000e0001"),
    ],
)
def test_no_text_of_a_sender_speaks_to_the_terminal(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_rows(("value", "other"), [(text, "."), ([text], ".")], title=text)
    terminal.say(text)
    out, err = capsys.readouterr()
    assert [" ".join(line.split(" ")[:-1]).rstrip() for line in out.splitlines()[2:]] == [shown, shown]
    assert out.splitlines()[0] == shown
    if "\n" not in text:
        assert err == f"{shown}\n"


def test_a_csv_holds_no_formula(tmp_path: Path) -> None:
    rows = [{"id": text} for text in ("=1+1", "@x", "-1.50", "-x", "plain", "\tx", "'=1")]
    terminal.write_csv(tmp_path / "out.csv", ["id"], rows)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert ids == ["'=1+1", "'@x", "-1.50", "'-x", "plain", "'\tx", "''=1"]


def test_how_a_demo_goes_on_survives_any_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kolleno_pipelines.cli.demo import _own_settings, _say_how_to_go_on

    settings = _own_settings(tmp_path / "it's a $HOME; `id`", date(2026, 1, 2))
    _say_how_to_go_on(settings, "I 1")
    lines = capsys.readouterr().err.splitlines()
    (export,) = [line for line in lines if line.startswith("  export ")]
    done = subprocess.run(
        ["sh", "-c", f"{export}\nenv -0"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    found = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    assert found["KOLLENO_HOME"] == str(settings.home)
    assert found["KOLLENO_CONNECTIONS"] == str(settings.connections)
    assert (found["KOLLENO_DATABASE_URL"], found["KOLLENO_SECRET_KEY"]) == ("", "")
    assert found["KOLLENO_ENV_FILE"] == str(settings.home / "secrets.env")
    assert any(line.endswith("trace invoices 'I 1' --connection sftp") for line in lines)
