"""A command that is forked is like one that is started from nothing, in all that its user and its parent see."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import OF_PYTHON, ROOT, run_command
from tests.warm_command import WarmCommand


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmCommand]:
    command = WarmCommand()
    yield command
    command.stop()


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "connections.yaml").write_text("connections:\n  sftp: {system: sftp, location: 'file:///nowhere'}\n")
    own = {"KOLLENO_HOME": str(tmp_path / "home"), "KOLLENO_ENV_FILE": os.devnull, "HOME": str(tmp_path)}
    return {"PATH": os.environ["PATH"], **OF_PYTHON, **own}


@pytest.mark.parametrize("words", [["--help"], ["check", "absent.csv"], ["report", "profit"], ["files"], []])
def test_it_says_and_ends_as_one_from_nothing(
    warm: WarmCommand, variables: dict[str, str], tmp_path: Path, words: list[str]
) -> None:
    variables["KOLLENO_DATABASE_URL"] = "postgresql://k@127.0.0.1:9/nothing"
    said = warm.run(words, variables, tmp_path, 60)
    cold = subprocess.run(
        [sys.executable, "-m", "kolleno_pipelines.cli", *words],
        env=variables,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert said.stdout or said.stderr


def test_one_that_takes_too_long_is_killed(warm: WarmCommand, variables: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://k@127.0.0.1:{silent.getsockname()[1]}/never"
        with pytest.raises(subprocess.TimeoutExpired):
            warm.run(["files"], variables | {"KOLLENO_DATABASE_URL": url}, tmp_path, 0.5)
    assert warm.run(["--version"], variables, tmp_path, 60).returncode == 0


def test_the_first_of_a_command_is_from_nothing(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked: list[object] = []
    monkeypatch.setattr("tests.command_line._started", set())
    monkeypatch.setattr("tests.command_line.WARM.run", lambda words, *_: forked.append(words))
    for words in (["--version"], ["--version"], ["batches", "--help"], ["batches", "skip", "--help"]):
        run_command(words, variables, tmp_path, 60)
    run_command(["--version"], variables | {"PYTHONPATH": f"{ROOT}:/elsewhere"}, tmp_path, 60)
    assert forked == [["--version"]]
