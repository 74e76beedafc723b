"""A configured Xero connection from its sign-in to receivables, against the simulated vendor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from kolleno_pipelines.connections import XeroConnection, load_connections
from kolleno_pipelines.connectors.auth import Tokens
from kolleno_pipelines.pipeline.api_delivery import deliver_from_vendor
from kolleno_pipelines.pipeline.connection_states import connection_states
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.sandbox.vendor_limits import VendorLimits
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.sandbox.xero.server import SandboxXero
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.canaries import CANARIES, CANARY


def test_the_only_organisation_of_the_sign_in_is_read(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Fernet.generate_key().decode()
    CANARIES.watch(key)
    first = datetime.now(UTC).date() - timedelta(days=3)
    company = Company.build(
        3, customers=5, days=3, first_day=first, invoices_per_day=3, history_days=20, expressible=True
    )
    monkeypatch.setenv("XERO_SECRET", f"secret-{CANARY}")
    filled = filled_from(company)
    book = getattr(filled, "book", filled)
    with SandboxXero(
        book, clock=VendorClock(), limits=VendorLimits(), client_secret=f"secret-{CANARY}", mark=CANARY
    ) as vendor:
        file = tmp_path / "connections.yaml"
        file.write_text(
            "connections:\n  xero:\n    system: xero\n    client_id: sandbox-xero\n    client_secret: ${XERO_SECRET}\n"
            f"    api_url: {vendor.url}\n"
        )
        used = settings.model_copy(update={"connections": file, "secret_key": SecretStr(key)})
        deployment = open_deployment(used, load_connections(file))
        connection = deployment.connections["xero"]
        assert isinstance(connection, XeroConnection)
        given = vendor.tokens.issue("accounting.invoices accounting.payments accounting.contacts accounting.settings")
        tokens = Tokens(str(given["access_token"]), str(given["refresh_token"]), datetime.now(UTC) + timedelta(hours=1))
        store = StoredTokens(deployment.database_url, "xero", [key])
        store.save(tokens, {})
        done = deliver_from_vendor(deployment, connection)
        assert done.read is not None
        assert not done.read.failed
        assert "tenantId" in store.account()
        (state,) = connection_states(used)
        assert state.usage is not None
        assert state.usage.requests == vendor.server.count("/api.xro/")
        assert state.usage.received_bytes > 1_000
        assert state.usage.egress.endswith(" of 10 GB")
        with deployment.transaction() as conn:
            (invoices,) = conn.execute("SELECT count(*) FROM receivables.invoices").fetchall()
        assert invoices[0] > 0
