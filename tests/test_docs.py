"""The pages say what is: tables equal the data, commands exist, links lead somewhere, examples are clean."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from benchmarks.__main__ import NAMES
from kolleno_pipelines.cli.app import app
from kolleno_pipelines.pipeline.alerts import AlertKind
from kolleno_pipelines.pipeline.check import check
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.payout_words import ChargeOutcome, ExceptionCode, PayoutOutcome, ProofOutcome
from kolleno_pipelines.schemas.sftp_tables import TABLES
from kolleno_pipelines.settings import PREFIX, Settings
from tests import doc_tables

ROOT = doc_tables.ROOT
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("kolleno_pipelines/**/*.md")])
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
# Where a shell takes it for a command; elsewhere it is an account, a group or a database.
_COMMAND = re.compile(r"(?:^\s*|[;&|(]\s*|/bin/)kolleno((?: +[^\s`#;&<>()]+)+)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PLACEHOLDER = re.compile(r"[A-Z_.\[\]/]+|\.\.\.|<.*>")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(page: Path) -> Iterator[str]:
    """Yield the lines of code of a page: fenced ones and spans."""
    text = read(page)
    for fence in _FENCE.finditer(text):
        yield from fence[1].splitlines()
    yield from (span[1] for span in _SPAN.finditer(_FENCE.sub("", text)))


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", doc_tables.PAGES)
def test_generated_tables_are_those_of_the_data(name: str) -> None:
    text = read(ROOT / name)
    assert text == doc_tables.generated(text), "python -m tests.doc_tables writes the tables again"


def test_each_table_stands_in_one_page() -> None:
    marked = [name for page in doc_tables.PAGES for name in doc_tables.marked_in(read(ROOT / page))]
    assert sorted(marked) == sorted(doc_tables.tables())


def test_code_table_has_every_code_and_column_tables_every_column() -> None:
    codes = read(ROOT / "README.md")
    assert [code for code in Code if f"| `{code.value}` |" not in codes] == []
    columns = read(ROOT / "docs" / "csv_format.md")
    assert [c.name for t in TABLES.values() for c in t.columns if f"| `{c.name}` |" not in columns] == []


def test_every_alert_is_explained_to_operators() -> None:
    page = read(ROOT / "docs" / "operating.md")
    assert [kind.value for kind in AlertKind if f"| `{kind.value}` |" not in page] == []


def test_every_outcome_and_exception_of_payouts_is_explained_in_its_order() -> None:
    page = read(ROOT / "docs" / "payouts.md")
    charges, rest = page.split("\n## Payouts\n")
    payouts, rest = rest.split("\n### Exceptions\n")
    exceptions, balance = rest.split("\n## The balance\n")
    of_payouts = [word for word in PayoutOutcome if word is not PayoutOutcome.NOT_COMPARED]
    for text, words in ((charges, list(ChargeOutcome)), (payouts, of_payouts)):
        assert _first_cells(text) == words
    assert sorted(_first_cells(balance)) == sorted(ProofOutcome)
    rows = re.findall(r"^\| (`.*?`) \|", exceptions, re.MULTILINE)
    assert sorted(code for row in rows for code in re.findall(r"`(\w+)`", row)) == sorted(ExceptionCode)


def _first_cells(text: str) -> list[str]:
    """The words that stand as code in the first cells of tables with a column `What to do`."""
    tables = [part for part in text.split("\n\n") if part.lstrip("\n").startswith("| Outcome |")]
    return re.findall(r"^\| `(\w+)` \|", "\n\n".join(tables), re.MULTILINE)


def _group() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def _long_options(command: Any) -> set[str]:
    return {
        option
        for parameter in command.params
        if isinstance(parameter, TyperOption)
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help", "-h", "--debug", "--version"}


def _fault(words: list[str]) -> str | None:
    """Say what of `kolleno words...` does not exist; None when all of it does."""
    command: Any = _group()
    for position, word in enumerate(words):
        if word.startswith("-"):
            option = word.partition("=")[0]
            if option != "-" and option not in _long_options(command):
                return f"{option} is no option of it"
        elif isinstance(command, TyperGroup) and not _PLACEHOLDER.fullmatch(word):
            if position and words[position - 1].startswith("--"):
                continue  # the value of a group's option
            if word not in command.commands:
                return f"there is no command {word}"
            command = command.commands[word]
    return None


def _alternatives(text: str) -> Iterator[list[str]]:
    """Yield the words of a command; `release|skip` and `[--only failed]` as a page may write them."""
    words = [word.strip("[],'\"").rstrip(":.") for word in text.split()]
    words = [word for word in words if word and word != "..."]
    choices = next((word for word in words if "|" in word and not word.startswith("-")), None)
    if choices is None:
        yield words
        return
    for choice in choices.split("|"):
        yield [choice if word == choices else word for word in words]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_shown_exist_with_their_options(page: Path) -> None:
    faults = [
        f"kolleno{found[1]}: {fault}"
        for line in code_of(page)
        for found in _COMMAND.finditer(line)
        for words in _alternatives(found[1])
        if (fault := _fault(words))
    ]
    assert faults == []


def test_the_check_of_commands_can_fail() -> None:
    assert _fault(["files", "show", "NAME"]) is None
    assert _fault(["reprocess", "--from", "2026-01-01", "--to", "2026-03-31", "--only", "failed"]) is None
    assert _fault(["file"]) == "there is no command file"
    assert _fault(["batches", "free", "ID"]) == "there is no command free"
    assert _fault(["reprocess", "--since", "2026-01-01"]) == "--since is no option of it"


def _commands(group: TyperGroup, before: str = "kolleno") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            if command.invoke_without_command:
                yield f"{before} {name}"
            yield from _commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}"


def test_readme_shows_every_command() -> None:
    shown = "\n".join(code_of(ROOT / "README.md"))
    assert [name for name in _commands(_group()) if not re.search(rf"{name}\b", shown)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_and_variables_named_exist(page: Path) -> None:
    targets = {word for line in code_of(page) for word in re.findall(r"(?:^|\s)make ([a-z]+)", line)}
    assert [target for target in targets if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)] == []
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    sources = [*ROOT.glob("kolleno_pipelines/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / ".env.example"]
    named = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*[A-Z]\b", read(page))) - known
    if named:
        text = "\n".join(read(source) for source in sources if source.name != Path(__file__).name)
        named = {name for name in named if name not in text and f'{{PREFIX}}{name.removeprefix(PREFIX)}"' not in text}
    assert sorted(named) == []


def test_performance_page_explains_every_line_of_the_benchmarks() -> None:
    text = read(ROOT / "docs" / "performance.md")
    assert [name for name in NAMES if f"`{name}`" not in text.partition("## What each line is")[2]] == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors that headings get: lower case, punctuation gone, blanks as hyphens."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(_FENCE.sub("", read(page))):
        path, _, anchor = target.partition("#")
        if urlsplit(target).scheme:
            continue
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            broken.append(target)
    assert broken == []


def test_the_example_batch_is_clean(tmp_path: Path) -> None:
    text = read(ROOT / "docs" / "csv_format.md")
    examples = re.findall(r"^`([a-z_]+_[0-9T:-]+\.csv)`\n\n```csv\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(examples) == len(TABLES)
    (tmp_path / "sent").mkdir()
    for name, content in examples:
        (tmp_path / name).write_text(content, encoding="utf-8")
    report = check([tmp_path], baseline=tmp_path / "sent")
    assert [(file.name, file.status, file.findings) for file in report.files if file.status != "clean"] == []
    assert sum(file.rows_accepted or 0 for file in report.files) == len(TABLES)


def _tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        try:
            yield path, read(path)
        except UnicodeDecodeError:  # a picture
            continue


def _own_index_hosts() -> set[str]:
    """Return the hosts from which this machine installs packages, as pip and the environment know them."""
    configured = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    said = [configured.stdout, *(value for name, value in os.environ.items() if "INDEX" in name or "PROXY" in name)]
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\"]+", " ".join(said))}
    return {host for host in hosts if host and host not in {"localhost", "127.0.0.1"}}


def test_no_package_index_and_no_path_of_a_machine_in_tracked_files() -> None:
    index = re.compile(
        r"https?://[^\s\"')]*(?:pypi|pythonhosted|artifactory|nexus|registry\.)"
        r"|^\s*--(?:index-url|extra-index-url|find-links|trusted-host)\b",
        re.MULTILINE,
    )
    machine = re.compile(r"(?<![\w.$}])/(?:" + "|".join(["work", "root", "Users"]) + r")/\w")
    hosts = _own_index_hosts()
    found = [
        f"{path.relative_to(ROOT)}: {hit}"
        for path, text in _texts()
        for hit in [
            *(match[0] for match in index.finditer(text)),
            *(match[0] for match in machine.finditer(text)),
            *(host for host in hosts if host in text),
        ]
        if path != Path(__file__)
    ]
    assert found == []


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lines = read(ROOT / "requirements.lock").splitlines()
    assert not any("://" in line for line in lines)
    requirements = [line for line in lines if re.match(r"^[A-Za-z0-9]", line)]
    assert len(requirements) > 20
    assert all("==" in line and line.endswith("\\") for line in requirements)
