"""docs/adding-a-connector.md, followed to the letter in a copy of the project: its files, changes, commands, output.

First the system that a person signs in to, then the changes that make it one that a key opens.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.fernet import Fernet

from tests.canaries import CANARIES, CANARY

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding-a-connector.md"
COPIED = ("kolleno_pipelines", "tests", "benchmarks", "pyproject.toml")
_BLOCK = re.compile(
    r"(?:^(?P<where>In |At the end of )?`(?P<path>[^`\n]+)`:?\n\n)?^```(?P<kind>[a-z]+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of code of the page: where it goes, how, and what it is."""

    where: str
    path: str
    kind: str
    text: str


def blocks(*, with_key: bool = False) -> list[Block]:
    """The blocks of the page; those of the system that a key opens too, which change what the others made."""
    before, heading, of_key = PAGE.read_text(encoding="utf-8").partition("\n## Where a key opens it\n")
    assert heading
    found = _BLOCK.finditer(before + of_key if with_key else before)
    return [Block((one["where"] or "").strip(), one["path"] or "", one["kind"], one["text"]) for one in found]


def write(project: Path, block: Block) -> None:
    """Write a file, add to one, or change it as a diff says."""
    path = project / block.path
    if block.where == "At the end of":
        path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n\n\n{block.text.lstrip()}", encoding="utf-8")
    elif block.where == "In":
        assert block.kind == "diff", block.path
        path.write_text(changed(path.read_text(encoding="utf-8"), block), encoding="utf-8")
    else:
        assert not path.exists(), f"{block.path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


def changed(text: str, block: Block) -> str:
    lines = block.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"{block.path} does not have this once, as the page says:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of what the page changes; not below pytest's folder, whose files are searched for the tests' secrets."""
    with TemporaryDirectory(prefix="kolleno-adding-") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy(source, copy / name)
        yield copy


def run(project: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the page in the copy, by this Python's programs."""
    program, *arguments = shlex.split(command)
    assert program.startswith(".venv/bin/"), command
    found = Path(sys.executable).parent / Path(program).name
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "KOLLENO_"))}
    for name in ("KOLLENO_TEST_POSTGRES", "KOLLENO_ENV_FILE"):
        if name in os.environ:
            environment[name] = os.environ[name]
    environment |= {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run([str(found), *arguments], cwd=project, env=environment, capture_output=True, text=True)


def commands() -> list[str]:
    return [line for block in blocks() if block.kind == "sh" for line in block.text.splitlines()]


def test_the_page_is_right_step_by_step(project: Path, database: str, tmp_path: Path) -> None:
    for block in blocks():
        if block.path:
            write(project, block)
    secret = f"secret-{CANARY}"
    key = Fernet.generate_key().decode()
    CANARIES.watch(secret, key)
    variables = {
        "KOLLENO_HOME": str(tmp_path / "home"),
        "KOLLENO_DATABASE_URL": database,
        "KOLLENO_CONNECTIONS": str(project / "connections.yaml"),
        "KOLLENO_SECRET_KEY": key,
        "BILLOW_CLIENT_SECRET": secret,
    }
    said = {}
    assert len(commands()) == 5
    for command in commands():
        is_script = "try_billow" in command
        done = run(project, command, **(variables if is_script else {}))
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        said[command] = done.stdout
    (tests,) = [text for command, text in said.items() if "-m pytest" in command]
    passed = re.search(r"(\d+) passed", tests)
    assert passed is not None, tests
    assert int(passed[1]) > 30
    assert "skipped" not in tests
    (shown,) = [block.text for block in blocks() if block.kind == "text"]
    assert said[commands()[-1]] == shown


def test_the_system_is_changed_into_one_that_a_key_opens(project: Path, database: str, tmp_path: Path) -> None:
    page = blocks(with_key=True)
    for block in page:
        if block.path:
            write(project, block)
    variables = {
        "KOLLENO_HOME": str(tmp_path / "home"),
        "KOLLENO_DATABASE_URL": database,
        "KOLLENO_CONNECTIONS": str(project / "connections.yaml"),
    }
    (command,) = [text.strip() for text in (block.text for block in page if block.kind == "sh") if "try_key" in text]
    done = run(project, command, **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == [block.text for block in page if block.kind == "text"][-1]
    shown = run(project, ".venv/bin/python -m kolleno_pipelines.cli connections login billow", **variables)
    assert shown.returncode == 2
    assert "opens with a key; nobody signs in" in shown.stderr
    for command in commands():
        if "ruff" in command:
            linted = run(project, command)
            assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ("kolleno_pipelines/connectors/registry.py", "a line in connectors/registry.py"),
        ("tests/contract/systems/billow.py", "tests/contract/systems/<system>.py"),
        ("kolleno_pipelines/connectors/billow/README.md", "README.md in its folder"),
    ],
)
def test_a_step_that_is_left_out_is_told(project: Path, left_out: str, told: str) -> None:
    for block in blocks():
        if block.path and block.path != left_out:
            write(project, block)
    (project / "tests" / "contract" / "fixtures" / "billow").mkdir()
    command = ".venv/bin/python -m pytest tests/contract/test_connector_payloads.py -k parts"
    assert command in PAGE.read_text(encoding="utf-8")
    done = run(project, command)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-2000:]
    assert f"billow lacks ['{told}']" in done.stdout
