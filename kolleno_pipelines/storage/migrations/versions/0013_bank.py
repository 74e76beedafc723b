"""Bank accounts, their statements and lines, and the leg of a payout to the bank."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    folder = files("kolleno_pipelines.storage.migrations") / "sql"
    text = (folder / "0013_bank.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def downgrade() -> None:
    raise RuntimeError("No migration is taken back; restore the backup taken before the upgrade.")
