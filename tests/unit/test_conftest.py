"""What tests/conftest.py promises of every run: in CI a skipped test fails it, and says why; elsewhere it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = {
    "skips": "import pytest\ndef test_one(): pytest.skip('needs the package openssh-server')\n",
    "marked": "import pytest\n@pytest.mark.skip(reason='needs the package chromium')\ndef test_one(): pass\n",
    "passes": "import os\ndef test_one(): assert 'KOLLENO_HOME' not in os.environ\n",
}


@pytest.mark.parametrize(
    ("content", "ci", "fails", "words"),
    [
        ("skips", "true", True, "test_it.py::test_one: Skipped: needs the package openssh-server"),
        ("marked", "true", True, "test_it.py::test_one: Skipped: needs the package chromium"),
        ("skips", "", False, "1 skipped"),
        ("passes", "true", False, "1 passed"),
    ],
)
def test_a_skip_fails_the_run_in_ci_only(tmp_path: Path, content: str, ci: str, fails: bool, words: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "test_it.py").write_text(TESTS[content])
    environ = {**os.environ, "CI": ci, "KOLLENO_HOME": "/nowhere", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        cwd=tmp_path,
    )
    assert (ended.returncode != 0) is fails, ended.stdout + ended.stderr
    assert words in ended.stdout
