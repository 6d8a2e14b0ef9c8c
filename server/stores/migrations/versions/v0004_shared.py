"""For many nodes: the secret they share, and the server that last wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the row of the store."""
    op.add_column("store", sa.Column("secret", sa.String(64)))
    op.add_column("store", sa.Column("origin", sa.Text))
