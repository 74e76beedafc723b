"""What systems with an API need beside their payloads: shared turns at a vendor, and OAuth tokens."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = files("kolleno_pipelines.storage.migrations") / "sql" / "0003_api.sql"
    op.get_bind().exec_driver_sql(sql.read_text(encoding="utf-8").replace("%", "%%"))


def downgrade() -> None:
    raise RuntimeError("No migration is taken back; restore the backup taken before the upgrade.")
