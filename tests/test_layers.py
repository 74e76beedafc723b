"""Who may import whom, read from the source so that no import can hide (docs/decisions.md). Style is ruff's."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "kolleno_pipelines"
ROOT = Path(__file__).parent.parent / PACKAGE

#: Plain data and its reading: every layer may use them.
CONTRACTS = {
    "schemas",
    "settings",
    "connections",
    "connection_values",
    "connection_models",
    "folder_connection",
    "sftp_connection",
    "api_connections",
    "bank_connection",
    "marked_yaml",
    "connectors.errors",
}
CONNECTOR_PARTS = {
    *("connectors.registry", "connectors.contract", "connectors.http", "connectors.auth", "connectors.answers"),
    *("connectors.exchange", "connectors.rate_limits", "connectors.paging"),
    *("connectors.payload_blocks", "connectors.json_pages", "connectors.columns", "connectors.folders"),
}

#: What each layer may import beside itself and the contracts.
ALLOWED: dict[str, set[str]] = {
    "rules": set(),
    "storage": set(),
    "connectors": set(),
    "sandbox": set(),
    "pipeline": {"storage", "connectors", "rules"},
    "resources": {"pipeline"},
    "assets": {"resources", "pipeline"},
    "automation": {"assets", "resources", "pipeline"},
    "definitions": {"automation", "assets", "resources"},
    "cli": {"pipeline", "sandbox"},
}

#: Modules that may import more, each with its reason.
EXCEPTIONS: dict[str, set[str]] = {
    "automation.launch": {"definitions"},  # an entry point like a command: it runs what definitions.py assembles
}

IO_MODULES = {
    *("os", "io", "pathlib", "shutil", "tempfile", "socket", "subprocess", "time", "random", "logging", "threading"),
    *("psycopg", "sqlalchemy", "alembic", "requests", "paramiko", "asyncssh", "upath", "dotenv", "dagster"),
}


def _modules() -> list[tuple[str, Path]]:
    paths = sorted(path for path in ROOT.rglob("*.py") if "versions" not in path.parts)
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in paths]


MODULES = _modules()


def _imports(path: Path) -> Iterator[str]:
    """Yield every module named in an import, whether at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(path: Path) -> set[str]:
    prefix = f"{PACKAGE}."
    return {name.removeprefix(prefix) for name in _imports(path) if name.startswith(prefix)}


def _layer(module: str) -> str:
    return module.split(".")[0]


def _is_contract(module: str) -> bool:
    return any(module == contract or module.startswith(f"{contract}.") for contract in CONTRACTS)


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_a_module_imports_only_what_its_layer_may(module: str, path: Path) -> None:
    layer = _layer(module)
    wrong = []
    for imported in sorted(_own(path)):
        if _is_contract(imported) or _layer(imported) == layer:
            continue
        if _is_contract(module):
            wrong.append(imported)
            continue
        if _layer(imported) not in ALLOWED.get(layer, set()) | EXCEPTIONS.get(module, set()):
            wrong.append(imported)
    assert not wrong, f"{module} is in layer {layer}, which may not import {wrong}"


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_dagster_stays_in_the_shell(module: str, path: Path) -> None:
    in_shell = _layer(module) in {"assets", "automation", "resources", "definitions"} or (
        module.startswith("connectors.") and module.endswith(".resource")
    )
    uses = [name for name in _imports(path) if name == "dagster" or name.startswith(("dagster.", "dagster_"))]
    assert in_shell or not uses, f"{module} imports {uses}"


@pytest.mark.parametrize(("module", "path"), [pair for pair in MODULES if _layer(pair[0]) == "rules"])
def test_rules_have_no_input_output_clock_or_environment(module: str, path: Path) -> None:
    outside = {name.split(".")[0] for name in _imports(path)} & IO_MODULES
    assert not outside, f"{module} imports {outside}"
    clocks = [
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow", "getenv", "environ"}
    ]
    assert not clocks, f"{module} asks for {clocks}: pass it as an argument"


def test_a_connector_never_imports_another() -> None:
    for module, path in MODULES:
        parts = module.split(".")
        if parts[0] != "connectors" or len(parts) < 3:
            continue
        others = {
            name
            for name in _own(path)
            if name.startswith("connectors.")
            and name.split(".")[1] != parts[1]
            and not _is_contract(name)
            and not any(name.startswith(part) for part in CONNECTOR_PARTS)
        }
        assert not others, f"{module} imports {others}"


def test_only_the_command_and_tests_use_the_sandbox() -> None:
    users = {module for module, path in MODULES if any(_layer(name) == "sandbox" for name in _own(path))}
    assert all(_layer(module) == "sandbox" or module.startswith("cli.demo") for module in users), users


def test_the_layers_of_this_test_are_all_there_are() -> None:
    known = set(ALLOWED) | {contract.split(".")[0] for contract in CONTRACTS}
    assert {_layer(module) for module, _ in MODULES} - known == {"__init__"}


def test_a_forbidden_import_is_found(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"def f():\n    from {PACKAGE}.storage import ledger\n    import dagster\n")
    assert _own(path) == {"storage.ledger"}
    assert "dagster" in set(_imports(path))


_IMPORT_ALL = """
import importlib, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system"):
        raise RuntimeError(f"{event} while importing: {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise RuntimeError(f"{arguments[0]} opened for writing while importing")
    if event == "open" and str(arguments[0]).endswith(("connections.yaml", ".env")):
        raise RuntimeError(f"{arguments[0]} read while importing")
sys.dont_write_bytecode = True
import asyncssh  # asks ldconfig for a library
sys.addaudithook(refuse)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(len(sys.argv) - 1)
"""


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    names = [
        f"{PACKAGE}.{module}".removesuffix(".__init__")
        for module, _ in MODULES
        if not module.endswith("__main__") and "migrations" not in module
    ]
    (tmp_path / "connections.yaml").write_text("not: [valid\n")
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT_ALL, *names],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT.parent), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == len(names)
