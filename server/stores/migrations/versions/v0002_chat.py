"""Chat: the list of rooms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of rooms."""
    op.create_table(
        "chat_room",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("last_text", sa.Text, nullable=False),
        sa.Column("last_author", sa.Text, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chat_room"),
    )
    op.create_index("ix_chat_room_last_ms", "chat_room", ["last_ms"])
