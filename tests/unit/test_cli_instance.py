"""The Dagster instance file, without any database: no secret in it, valid for Dagster, YAML that means what it says."""

from __future__ import annotations

import stat
from pathlib import Path

import yaml

from kolleno_pipelines.pipeline import instance
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY


def test_a_password_goes_into_a_private_file_that_libpq_reads(tmp_path: Path) -> None:
    passfile = tmp_path / "dagster.pgpass"
    url = instance._without_password(
        f"postgresql+psycopg2://k:{CANARY}%3A%5C%40@db:5432/k_dagster?sslmode=require", passfile
    )
    assert CANARY not in url
    assert url.startswith("postgresql+psycopg2://k@db:5432/k_dagster?sslmode=require&passfile=")
    assert passfile.read_text() == f"*:*:*:*:{CANARY}\\:\\\\@\n"
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    without = "postgresql+psycopg2://k@/k_dagster?host=%2Frun"
    assert instance._without_password(without, tmp_path / "none") == without
    assert not (tmp_path / "none").exists()


def test_the_instance_file_is_one_that_dagster_takes(tmp_path: Path) -> None:
    from dagster._config import process_config
    from dagster._core.instance.config import dagster_instance_config_schema

    text = instance._DAGSTER_YAML.format(
        url=instance._quoted("postgresql+psycopg2://k@/d?host=%2Fit's"),
        artifacts=instance._quoted(str(tmp_path / "a b")),
        logs=instance._quoted("#x: {y}"),
        runs=2,
        max_runtime=60,
    )
    written = yaml.safe_load(text)
    assert written["storage"]["postgres"]["postgres_url"] == "postgresql+psycopg2://k@/d?host=%2Fit's"
    assert written["compute_logs"]["config"]["base_dir"] == "#x: {y}"
    checked = process_config(dagster_instance_config_schema(), written)
    assert checked.success, checked.errors


def test_files_appear_whole_and_private_and_only_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    instance._write(path, "a")
    before = path.stat()
    instance._write(path, "a")
    assert path.stat().st_ino == before.st_ino
    instance._write(path, "b")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("b", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["x.yaml"]


def test_the_environment_means_the_same_from_any_folder(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "h", connections=tmp_path / "c.yaml", database_url=f"postgresql://k:{CANARY}@h/d"
    )
    found = instance.environment(settings)
    assert found["DAGSTER_HOME"] == found["KOLLENO_HOME"] == str(tmp_path / "h")
    assert Path(found["KOLLENO_CONNECTIONS"]).is_absolute()
    assert Path(found["KOLLENO_ARCHIVE"]).is_absolute()
    assert not any(CANARY in value for value in found.values())
