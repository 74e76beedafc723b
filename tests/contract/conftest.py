"""The vendors' own schemas, from the folder that `make contracts CONTRACTS=<folder>` names; without it tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.stripe_samples import StripeSamples
from tests.contract.xero_schema import XeroSchema
from tests.skips import SCHEMAS_ABSENT


@pytest.fixture(scope="session")
def contracts() -> Path:
    folder = os.environ.get("CONTRACTS", "")
    if not folder:
        pytest.skip(f"{SCHEMAS_ABSENT}: make contracts CONTRACTS=<folder> names theirs.")
    return Path(folder)


@pytest.fixture(scope="session")
def xero_schema(contracts: Path) -> XeroSchema:
    return XeroSchema.read(contracts / "xero" / "xero_accounting.yaml")


@pytest.fixture(scope="session")
def stripe_samples(contracts: Path) -> StripeSamples:
    return StripeSamples.read(contracts / "stripe" / "fixtures3.json")
