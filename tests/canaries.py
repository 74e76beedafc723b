"""Secrets as canaries: every secret of a test is watched, and what the tests leave behind is searched for it.

A secret is searched for as it is, URL-encoded and in base64. What the search covers is said in conftest.py.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
from psycopg import sql

#: Every secret of a test contains it.
CANARY = "s3cr3t-canary"

# Where a secret may lie: keys, password files and environment files that only their owner reads, and what tests plant.
_PLACES_OF_SECRETS = re.compile(r"(^|[./_-])(pgpass|env|id_\w+|\w*key\w*)$|\.pem$|^(secret\.csv|connections\.yaml)$")

#: Tables that are not empty (most are in most tests), each with its columns of bytes.
_WITH_ROWS = """
SELECT n.nspname, c.relname, ARRAY(SELECT a.attname::text FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
   AND pg_relation_size(c.oid) > 0
"""


class Canaries:
    """The secrets that are watched, and the search for them."""

    def __init__(self, *secrets: str) -> None:
        self._secrets: set[str] = set()
        self._forms: list[bytes] = []
        self._pattern = re.compile(b"")
        self.watch(*secrets)

    def watch(self, *secrets: str) -> None:
        """Search for these from now on."""
        self._secrets |= {secret for secret in secrets if secret}
        self._forms = sorted({form for secret in self._secrets for form in forms(secret)}, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))

    def find(self, data: bytes | str) -> str | None:
        """Return the surroundings of the first secret in `data`, None where there is none."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        found = self._pattern.search(raw)
        return None if found is None else raw[max(0, found.start() - 60) : found.end() + 20].decode(errors="replace")

    def in_files(self, folder: Path) -> Iterator[str]:
        """Yield a sentence per file below `folder` that says a secret, places of secrets apart."""
        for path in folder.rglob("*"):
            if not path.is_symlink() and (told := self.find(path.name)) is not None:
                yield f"{path}: {told}"
        for path in self._files_with_secrets(folder):
            if not _PLACES_OF_SECRETS.search(path.name):
                yield f"{path}: {self.find(path.read_bytes())}"

    def _files_with_secrets(self, folder: Path) -> list[Path]:
        """The files below `folder` that say a secret anywhere. `re` takes a minute for a gigabyte of them."""
        done = subprocess.run(
            ["grep", "--recursive", "--devices=skip", "--files-with-matches", "--null", "--no-messages", "--text",
             "--fixed-strings", "--file=-", str(folder)],
            input=b"\n".join(self._forms),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )  # fmt: skip
        # 2: a file went away meanwhile, as the sockets and logs of a server that ends.
        assert done.returncode in {0, 1, 2}, done.stderr
        return [Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]

    def in_database(self, url: str) -> Iterator[str]:
        """Yield a sentence per table of a database that says a secret in any column."""
        with psycopg.connect(url) as conn:
            for schema, table, packed in conn.execute(_WITH_ROWS).fetchall():
                place = sql.Identifier(schema, table)
                said = sql.SQL("SELECT t::text FROM {} t WHERE t::text ~ %s LIMIT 1").format(place)
                row = conn.execute(said, [self._pattern.pattern.decode()]).fetchone()
                if row is not None:
                    yield f"{schema}.{table}: {self.find(row[0])}"
                for column in packed:
                    yield from self._in_packed(conn, schema, table, column)

    def _in_packed(
        self, conn: psycopg.Connection[tuple[Any, ...]], schema: str, table: str, column: str
    ) -> Iterator[str]:
        """Yield a sentence per value of a column of bytes that says a secret; Dagster packs its snapshots with zlib."""
        named = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(schema, table))
        for (packed,) in conn.execute(named):
            if packed is not None and (told := self.find(_unpacked(packed))) is not None:
                yield f"{schema}.{table}.{column}: {told}"


def forms(secret: str) -> Iterator[bytes]:
    """Yield how a secret may be written: plain, URL-encoded, base64 at each of the three places it may begin."""
    plain = secret.encode()
    yield plain
    yield from (quoted.encode() for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret)))
    for before in range(3):
        # Only whole groups of three bytes are certain, whatever stands before and after the secret.
        whole = plain[(3 - before) % 3 :]
        whole = whole[: len(whole) // 3 * 3]
        if len(whole) >= 9:
            yield base64.b64encode(whole)
            yield base64.urlsafe_b64encode(whole)


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


CANARIES = Canaries(CANARY)
