"""A desk at which reports are downloaded and compared, for tests of both. No assertions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.scenes import AT, Case, PayoutFigures, Scene
from kolleno_pipelines.schemas.payout_report import Asked
from kolleno_pipelines.settings import Settings
from tests.report_files import Compared, compare, deployment_of, name_of
from tests.stripe_cases import fold_case

DAY = timedelta(days=1)


class Desk:
    """Where somebody downloads reports and compares them."""

    def __init__(self, settings: Settings, folder: Path, url: str) -> None:
        self.settings, self.folder, self.url = settings, folder, url
        self.connections: dict[str, None] = {}

    def fold(self, case: Case, connection: str = "stripe", **more: object) -> None:
        """Let a connection know an account by its API."""
        self.connections[connection] = None
        fold_case(self.url, connection, case, **more)  # type: ignore[arg-type]

    @property
    def deployment(self) -> Deployment:
        return deployment_of(self.settings, self.folder, self.connections)

    def compare(
        self, text: str | bytes, connection: str = "stripe", *, name: str = "", asked: Asked | None = None
    ) -> Compared:
        path = self.folder / (name or name_of())
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return compare(self.deployment, connection, path, asked)


def shared() -> Case:
    """Two payouts: of Wednesday 100.00 and 1,000.00 less a refund of 20.00, of Thursday 50.00, of which that was."""
    scene = Scene("two-payouts")
    scene.take(AT, Payment(10_000))
    scene.take(AT, Payment(100_000), "large")
    scene.take(AT + DAY, Payment(5_000), "later")
    charging.refund(scene.account, AT + DAY + timedelta(hours=1), scene.ids["later"], 2_000)
    return scene.case(PayoutFigures(104_750, "reconciled"), PayoutFigures(4_825, "reconciled"))
