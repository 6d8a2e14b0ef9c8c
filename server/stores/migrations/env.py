"""Runs the steps on the connection, and in the transaction, that `migrate` hands over.

Alembic loads this file by its path: it cannot import relatively.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite cannot alter most of a table: copy it into a new one instead.
    render_as_batch=True,
)
context.run_migrations()
