"""The KOLLENO_* environment: defaults, refusals that name the variable, and no secret in any text."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from kolleno_pipelines.settings import Settings, SettingsError, environment, load_settings
from tests.canaries import CANARY

SECRET = CANARY


def test_defaults_follow_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.home == tmp_path / ".kolleno"
    assert settings.archive_root == str(tmp_path / ".kolleno" / "archive")
    assert settings.connections == tmp_path / "connections.yaml"
    assert settings.first_day == date(2020, 1, 1)
    assert settings.database_url is None
    assert settings.dagster_database_url is None
    assert settings.webhook_url is None


def test_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOLLENO_HOME", str(tmp_path))
    monkeypatch.setenv("KOLLENO_ARCHIVE", "s3://bucket/prefix")
    monkeypatch.setenv("KOLLENO_FIRST_DAY", "2024-02-29")
    assert load_settings().archive_root == "s3://bucket/prefix"
    assert load_settings().first_day == date(2024, 2, 29)
    monkeypatch.setenv("KOLLENO_ARCHIVE", "")
    assert load_settings().archive_root == str(tmp_path / "archive")


def test_env_file_is_overruled_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(f"KOLLENO_FIRST_DAY=2021-01-01\nKOLLENO_HOME={tmp_path}\nUNRELATED=1\nSFTP_PASS={SECRET}\n")
    monkeypatch.setenv("KOLLENO_ENV_FILE", str(file))
    monkeypatch.setenv("KOLLENO_FIRST_DAY", "2022-01-01")
    assert load_settings().first_day == date(2022, 1, 1)
    assert load_settings().home == tmp_path
    assert environment()["SFTP_PASS"] == SECRET
    assert environment()["KOLLENO_FIRST_DAY"] == "2022-01-01"


@pytest.mark.parametrize("written", ["postgres://", "postgresql://", "postgresql+psycopg2://"])
def test_database_url_takes_the_usual_spellings(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("KOLLENO_DATABASE_URL", f"{written}u:{SECRET}@h/db")
    settings = load_settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == f"postgresql://u:{SECRET}@h/db"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("KOLLENO_DATABASE_URL", f"mysql://u:{SECRET}@h/db", "must begin with postgresql://"),
        ("KOLLENO_DAGSTER_DATABASE_URL", SECRET, "must begin with postgresql://"),
        ("KOLLENO_WEBHOOK_URL", f"ftp://{SECRET}", "must begin with https://"),
        ("KOLLENO_FIRST_DAY", "yesterday", "date"),
        ("KOLLENO_HOME", "~nosuchuser/kolleno", "~nosuchuser is no account"),
        ("KOLLENO_CONNECTIONS", "~nosuchuser/x.yaml", "~nosuchuser is no account"),
        ("KOLLENO_ARCHIVE", "~nosuchuser/archive", "~nosuchuser is no account"),
    ],
)
def test_refusal_names_the_variable_and_keeps_the_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).startswith(f"{variable} cannot be used: ")
    assert words in str(refusal.value)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_secrets_are_not_shown() -> None:
    settings = Settings(database_url=f"postgresql://u:{SECRET}@h/db", webhook_url=f"https://{SECRET}/")
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json()


def test_keys_for_what_is_kept_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    monkeypatch.setenv("KOLLENO_SECRET_KEY", f" {keys[0]} ,{keys[1]},")
    settings = load_settings()
    assert settings.secret_keys() == tuple(keys)
    assert not any(key in f"{settings!r} {settings} {settings.model_dump_json()}" for key in keys)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (None, "KOLLENO_SECRET_KEY is not set"),
        (",", "KOLLENO_SECRET_KEY is not set"),
        (SECRET, "it is not 32 bytes in URL-safe base64"),
        (f"{'A' * 43}=,{SECRET}", "key 2 of 2 in it is not 32 bytes"),
    ],
)
def test_a_key_that_is_missing_or_none_is_told_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, written: str | None, words: str
) -> None:
    if written is not None:
        monkeypatch.setenv("KOLLENO_SECRET_KEY", written)
    settings = load_settings()  # nobody else needs it
    with pytest.raises(SettingsError, match="openssl rand -base64 32") as refusal:
        settings.secret_keys()
    assert words in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_example_file_names_every_setting_and_every_variable_of_the_code() -> None:
    root = Path(__file__).parents[2]
    example = (root / ".env.example").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"KOLLENO_{name.upper()}=" in example
    code = "".join(path.read_text(encoding="utf-8") for path in (root / "kolleno_pipelines").rglob("*.py"))
    named = set(re.findall(r"\bKOLLENO_[A-Z_]*[A-Z]\b", code))
    # Fail-points are for tests alone.
    absent = {name for name in named if name not in example and "FAILPOINT" not in name}
    assert absent == set()
    secrets = set(re.findall(r"\$\{([A-Z_]+)\}", (root / "connections.example.yaml").read_text(encoding="utf-8")))
    assert "STRIPE_API_KEY" in secrets
    for file in (root / ".env.example", root / "deploy" / "kolleno.env.example"):
        assert secrets - {"VARIABLE"} <= set(re.findall(r"(?m)^#(\w+)=", file.read_text(encoding="utf-8"))), file
