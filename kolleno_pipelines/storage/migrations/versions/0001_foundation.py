"""Foundation of the database: ledger, CSV tables, AR model, results and reporting views."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTS = ("0001_foundation.sql", "0001_results.sql", "0001_reporting.sql")


def upgrade() -> None:
    folder = files("kolleno_pipelines.storage.migrations") / "sql"
    for part in PARTS:
        op.get_bind().exec_driver_sql((folder / part).read_text(encoding="utf-8").replace("%", "%%"))


def downgrade() -> None:
    raise RuntimeError("The foundation is not taken back; restore the backup taken before the upgrade.")
