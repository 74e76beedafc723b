"""One PostgreSQL cluster in one private folder: creating it, its configuration, launching it, telling whether it runs.

Which folder that is, and that only one starter works at a time, does not belong here; `embedded.py` decides.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import subprocess
import time
from pathlib import Path

from kolleno_pipelines.storage import server_binaries
from kolleno_pipelines.storage.server_binaries import Account, EmbeddedError

ROLE = "kolleno"
#: A socket's path has at most 107 bytes on Linux and 103 on macOS; PostgreSQL appends this name to the folder.
SOCKET_NAME = "/.s.PGSQL.5432"
SOCKET_PATH_BYTES = 103
LOG = "server.log"
#: What the parallel passes of a fold may want at once.
SHARED_MEMORY_BYTES = 1 << 30
#: What the log says when a start may succeed a moment later (a killed server's last processes, a starter that died).
PASSING = ("shared memory block", "lock file", "is another", "starting up", "shutting down")


def socket_folder(folder: Path) -> Path:
    """`run/` in the server's folder, or a short private folder in /tmp where that path would be too long."""
    inside = folder / "run"
    if len(os.fsencode(str(inside) + SOCKET_NAME)) <= SOCKET_PATH_BYTES:
        return inside
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path("/tmp") / f"kolleno-{folder.stat().st_uid}-{mark}"  # noqa: S108 - verified by _private


def _private(path: Path, runner: Account) -> None:
    """Create `path` as the runner's own 0700 folder, or verify that it is that: /tmp is everyone's."""
    try:
        path.mkdir(mode=0o700)
        runner.take(path)
    except FileExistsError:
        pass
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != runner.uid or stat.S_IMODE(seen.st_mode) & 0o077:
        raise EmbeddedError(f"{path} is not a private folder of {runner.name}: remove it, or shorten KOLLENO_HOME.")


def initialise(folder: Path, programs: Path, runner: Account) -> None:
    """Create the cluster in `data.new` and rename it: a start that is cut off here begins afresh."""
    new, password_file = folder / "data.new", folder / "initdb.password"
    shutil.rmtree(new, ignore_errors=True)
    password = secrets.token_urlsafe(32)
    _write(folder / "pgpass", f"*:*:*:{ROLE}:{password}\n", runner)
    _write(password_file, f"{password}\n", runner)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    if server_binaries.version(programs) < 17:
        locale = ["--locale=C.UTF-8", "--lc-messages=C"]
    command = [str(programs / "initdb"), "-D", str(new), "-U", ROLE, "-A", "scram-sha-256", "-E", "UTF8"]
    if server_binaries.version(programs) >= 16:
        # Rounds slow down the guessing of weak passwords; ours is 256 random bits, and Dagster connects per query.
        command += ["-c", "scram_iterations=1"]
    answer = runner.run([*command, *locale, f"--pwfile={password_file}", "--no-instructions"])
    password_file.unlink()
    if answer.returncode != 0:
        raise EmbeddedError(f"PostgreSQL could not create its data in {folder}: {_reason(answer.stderr)}")
    with (new / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("\ninclude 'kolleno.conf'\n")
    new.rename(folder / "data")


def _write(path: Path, text: str, runner: Account) -> None:
    """A new 0600 file in place of what was there; never follows a link."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    runner.take(unfinished)
    unfinished.rename(path)


def refuse_other_version(folder: Path, programs: Path) -> None:
    """Raises EmbeddedError when the data were made by another major version than `programs`."""
    made, here = int((folder / "data" / "PG_VERSION").read_text()), server_binaries.version(programs)
    if made != here:
        raise EmbeddedError(
            f"The data in {folder} were made by PostgreSQL {made}, the programs here are {here}: dump them with "
            f"PostgreSQL {made} and restore, or use another KOLLENO_HOME."
        )


def shared_memory_type(device: Path) -> str:
    """Return `posix`, or `mmap` where `device` is small: the usual 64 MB of a container fail large parallel joins."""
    try:
        room = os.statvfs(device)
    except OSError:
        return "posix"  # not Linux: shared memory is no file system there
    return "posix" if room.f_bavail * room.f_frsize >= SHARED_MEMORY_BYTES else "mmap"


def _configuration(folder: Path) -> str:
    """Measured on loads of a million rows: WAL that is not throttled by checkpoints matters most, then memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    values = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder(folder)),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "1GB" if memory >= 8 * 1024**3 else "256MB",
        "work_mem": "64MB",
        "maintenance_work_mem": "256MB",
        "max_wal_size": "4GB",
        "min_wal_size": "1GB",
        "wal_buffers": "64MB",
        "dynamic_shared_memory_type": shared_memory_type(Path("/dev/shm")),  # noqa: S108 - where Linux keeps it
        "wal_init_zero": "off",
        "checkpoint_timeout": "15min",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
    }
    return "".join(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in values.items())


def launch(folder: Path, programs: Path, runner: Account, deadline: float) -> None:
    """Start the server and wait until it takes connections; nothing happens when it does already.

    Raises EmbeddedError with the server's own reason, at once or (passing trouble) at `deadline` (monotonic seconds).
    """
    data, server_log = folder / "data", folder / "log" / LOG
    _private(folder / "log", runner)
    _private(socket_folder(folder), runner)
    _write(data / "kolleno.conf", _configuration(folder), runner)
    while not (postmaster(data) and says_ready(data)):
        _remove_stale_pid(data)
        _keep_previous(server_log)
        seconds = max(1, int(deadline - time.monotonic()))
        answer = runner.run(
            [str(programs / "pg_ctl"), "start", "-D", str(data), "-l", str(server_log), "-w", "-s", "-t", str(seconds)],
            seconds + 10,
        )
        if answer.returncode == 0:
            return
        said = server_log.read_text(encoding="utf-8", errors="replace") if server_log.exists() else ""
        if not any(sign in said for sign in PASSING) or time.monotonic() > deadline:
            raise EmbeddedError(f"PostgreSQL did not start: {_reason(said or answer.stderr)} (see {server_log}).")
        time.sleep(0.2)


def _keep_previous(server_log: Path) -> None:
    """One log per start, and one before it: what a start says is not mixed with what came earlier."""
    if server_log.exists():
        server_log.replace(server_log.with_suffix(".previous.log"))


def _reason(text: str) -> str:
    """The last two lines of what a program said (the second often only repeats that it failed), without times."""
    lines = [re.sub(r"^[\d-]+ [\d:.]+ \w+ \[\d+\] ", "", line.strip()) for line in text.splitlines()]
    return " / ".join([line for line in lines if line][-2:]) or "it gave no reason"


def postmaster(data: Path) -> int | None:
    """Process id of this data folder's server, when it is alive and truly this one (ids are reused after a reboot)."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if processes(data, pid) else None


def says_ready(data: Path) -> bool:
    """Whether the server's own note says that it takes connections ."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def processes(data: Path, pid: int | None = None) -> list[int]:
    """Ids of the server's processes (`pid` alone when given): they all work inside their data folder."""
    if not Path("/proc/self/cwd").exists():
        return [found for found in _listed(data) if pid in {None, found}]
    entries = [Path("/proc") / str(pid)] if pid else Path("/proc").glob("[0-9]*")
    return [int(entry.name) for entry in entries if _works_in(entry, data)]


def _works_in(entry: Path, data: Path) -> bool:
    try:
        return (entry / "cwd").readlink() == data
    except OSError:  # it ended meanwhile, or is another account's
        return False


def _listed(data: Path) -> list[int]:
    """Where there is no /proc (macOS): the postmaster, told by the data folder among its arguments."""
    answer = subprocess.run(["ps", "-axwwo", "pid=,args="], check=False, capture_output=True, text=True)
    return [int(line.split(None, 1)[0]) for line in answer.stdout.splitlines() if f"-D {data}" in line]


def _remove_stale_pid(data: Path) -> None:
    """After a SIGKILL or a reboot the file may name somebody else's process, and PostgreSQL would refuse to start."""
    if (data / "postmaster.pid").exists() and not processes(data):
        (data / "postmaster.pid").unlink()
