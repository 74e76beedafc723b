"""What is wrong with rows of a provider's balance that no compared payout holds; what analysts read of providers."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    folder = files("kolleno_pipelines.storage.migrations") / "sql"
    for name in ("0012_balance_exceptions.sql", "0012_reporting.sql"):
        text = (folder / name).read_text(encoding="utf-8")
        op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def downgrade() -> None:
    raise RuntimeError("No migration is taken back; restore the backup taken before the upgrade.")
