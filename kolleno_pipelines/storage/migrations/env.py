"""What Alembic runs for an upgrade: it takes the connection that `database.py` opened, and configures no logging.

Which SQL a migration runs does not belong here; `versions/` has that.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    version_table_schema="public",
)
with context.begin_transaction():
    context.run_migrations()
