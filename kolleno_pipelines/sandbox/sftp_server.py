"""An SFTP server for the demo and the tests, in a thread of this process: one folder, one user, keys only, 127.0.0.1.

It can be told to misbehave (`Faults`). Which files are dropped does not belong here, nor anything for production.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import asyncssh

from kolleno_pipelines.sandbox.startable import Startable

T = TypeVar("T")


@dataclass(slots=True)
class Faults:
    """What the server does wrong. All off at first; read at each request, so a test may change them at any time.

    drop_after: bytes of file content that a connection is given before it is cut off; `drops` times.
    refuse_listing: listing any folder fails. read_delay: seconds before each read is answered.
    mute: reads are taken and never answered. extra_names: names that listings contain and the folder does not.
    on_open: called with the local path when a file is opened, before it is: to grow or replace it after the listing.
    on_read: called with the local path and the offset before each read.
    """

    drop_after: int | None = None
    drops: int = 1
    refuse_listing: bool = False
    read_delay: float = 0.0
    mute: bool = False
    extra_names: tuple[bytes, ...] = ()
    on_open: Callable[[Path], None] | None = None
    on_read: Callable[[Path, int], None] | None = None


class SandboxSftpServer(Startable):
    """Serves `root` as `/`. A stopped one starts again on the same port.

    root: the folder to serve. home: where the keys and known_hosts are kept (made, mode 0700); an existing set of
    keys is used again. port: 0 takes a free one.
    """

    def __init__(self, root: Path, home: Path, *, port: int = 0, user: str = "sandbox") -> None:
        self.root = root
        self.user = user
        self.port = port
        self.faults = Faults()
        self.connections_made = 0
        self._home = home
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.open_files: dict[IO[bytes], Path] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def location(self) -> str:
        """The value for `location:` in connections.yaml."""
        return f"sftp://{self.user}@127.0.0.1:{self.port}/"

    @property
    def key_file(self) -> Path:
        """The private key that the server lets in (ed25519, no passphrase)."""
        return self._home / "client_key"

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with the server's key."""
        return self._home / "known_hosts"

    @property
    def authorized_keys(self) -> Path:
        """The public keys that the server lets in, read at each login."""
        return self._home / "authorized_keys"

    def authorize(self, public_key: str) -> None:
        """Let one more key in, given as an OpenSSH public key line."""
        with self.authorized_keys.open("a") as file:
            file.write(public_key.strip() + "\n")

    def change_host_key(self) -> None:
        """Make a new host key, without telling known_hosts; counts from the next start."""
        self._write_key(self._home / "host_key")

    def start(self) -> None:
        """Make what is missing (keys, the root) and listen. Raises OSError when the port is taken."""
        self._prepare_keys()
        self.root.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-sftp", daemon=True)
        self._thread.start()
        try:
            self._acceptor = self._run(self._listen())
        except BaseException:
            self.stop()
            raise
        self.port = self._acceptor.get_port()
        self.known_hosts.touch()
        label = f"[127.0.0.1]:{self.port}"
        if label not in self.known_hosts.read_text():
            public = (self._home / "host_key.pub").read_text().split()
            with self.known_hosts.open("a") as file:
                file.write(f"{label} {public[0]} {public[1]}\n")

    def stop(self) -> None:
        """Cut every connection off and free the port. Does nothing when it is not running."""
        if self._loop is None or self._thread is None:
            return
        self._run(self._hang_up())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._loop = self._thread = self._acceptor = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None  # noqa: S101 - start() made it
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    def _prepare_keys(self) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (self.key_file, self._home / "host_key"):
            if not path.exists():
                self._write_key(path)
        if not self.authorized_keys.exists():
            self.authorized_keys.write_text(self.key_file.with_suffix(".pub").read_text())

    def _write_key(self, path: Path) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519", comment="kolleno-sandbox")
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        key.write_private_key(path)
        key.write_public_key(path.with_suffix(".pub"))

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Login(self),
            server_host_keys=[str(self._home / "host_key")],
            password_auth=False,
            kbdint_auth=False,
            allow_scp=False,
            sftp_factory=lambda channel: _Files(channel, self),
            reuse_address=True,
        )

    async def _hang_up(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        open_connections = list(self.connections)
        for connection in open_connections:
            connection.abort()
        for connection in open_connections:
            await connection.wait_closed()
        # Sessions that were cut off in the middle of a read are still ending.
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for file in self.open_files:
            file.close()
        self.open_files.clear()


class _Login(asyncssh.SSHServer):
    """One connection: only the one user may log in."""

    def __init__(self, server: SandboxSftpServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)
        self._server.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncssh's
        if self._connection is not None:
            self._server.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None  # noqa: S101 - made before anyone logs in
        known = self._server.authorized_keys.read_text() if username == self._server.user else ""
        self._connection.set_authorized_keys(asyncssh.import_authorized_keys(known))
        return True


class _Files(asyncssh.SFTPServer):
    """What one connection sees: `root` as `/`, links out of it refused, and the faults."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], server: SandboxSftpServer) -> None:
        super().__init__(channel, chroot=os.fsencode(server.root))
        self._server = server
        self._given = 0
        self._cut_off = False

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        local = self._local(path)
        if self._server.faults.on_open is not None:
            self._server.faults.on_open(local)
        opened = cast("IO[bytes]", super().open(path, pflags, attrs))
        self._server.open_files[opened] = local
        return opened

    def close(self, file_obj: object) -> None:
        self._server.open_files.pop(cast("IO[bytes]", file_obj), None)
        super().close(file_obj)

    def stat(self, path: bytes) -> Any:
        self._local(path)
        return super().stat(path)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        faults = self._server.faults
        if faults.on_read is not None:
            faults.on_read(self._server.open_files[cast("IO[bytes]", file_obj)], offset)
        while faults.mute and self.connection in self._server.connections:
            await asyncio.sleep(0.02)
        if faults.read_delay:
            await asyncio.sleep(faults.read_delay)
        data = super().read(file_obj, offset, size)
        assert isinstance(data, bytes)  # noqa: S101 - the parent reads at once
        self._given += len(data)
        due = faults.drop_after is not None and self._given > faults.drop_after
        if due and faults.drops > 0 and not self._cut_off:
            # Reads that were sent ahead still arrive here after the cut; they are not counted again.
            self._cut_off = True
            faults.drops -= 1
            self.connection.abort()
        return data

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        self._local(path)
        if self._server.faults.refuse_listing:
            raise asyncssh.SFTPFailure("the sandbox was told to refuse listings")
        async for name in super().scandir(path):
            yield name
        for extra in self._server.faults.extra_names:
            yield asyncssh.SFTPName(extra, attrs=asyncssh.SFTPAttrs(size=5, permissions=0o100644, atime=1, mtime=1))

    def _local(self, path: bytes) -> Path:
        """The local path, refused where a link leads out of the root."""
        local = Path(os.fsdecode(self.map_path(path)))
        if not local.resolve().is_relative_to(self._server.root.resolve()):
            raise asyncssh.SFTPPermissionDenied("outside of the served folder")
        return local
