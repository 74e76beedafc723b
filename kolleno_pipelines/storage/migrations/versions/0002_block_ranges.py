"""Finer block ranges of `sftp_csv`, which stay sharp where the space of withdrawn rows is used again.

A row that comes to such space belongs to ranges that are summed up already. Filters below 500 bytes are written as they
are; PostgreSQL compresses larger ones anew with every row. Ranges by file keep several intervals, so that a page with
rows of an old and of a new file does not stand for all files between them.
"""

from __future__ import annotations

from alembic import op

from kolleno_pipelines.schemas.sftp_tables import TableName

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in TableName:
        op.execute(f"DROP INDEX sftp_csv.{name}_by_file, sftp_csv.{name}_by_source_id")
        op.execute(
            f"CREATE INDEX {name}_by_file ON sftp_csv.{name} USING brin (file_id int4_minmax_multi_ops)"
            " WITH (pages_per_range = 16)"
        )
        op.execute(
            f"CREATE INDEX {name}_by_source_id ON sftp_csv.{name}"
            " USING brin (source_id text_bloom_ops(n_distinct_per_range = 410)) WITH (pages_per_range = 8)"
        )


def downgrade() -> None:
    raise RuntimeError("No migration is taken back; restore the backup taken before the upgrade.")
