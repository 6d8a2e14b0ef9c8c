"""The log: streams, publications, keys, snapshots, and what they replaced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of the log."""
    op.create_table(
        "store",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_store"),
    )
    op.create_table(
        "channel",
        sa.Column("id", _Id, nullable=False),
        sa.Column("name", sa.String(81), nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("top", sa.BigInteger, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channel"),
        sa.UniqueConstraint("name", name="uq_channel_name"),
    )
    _create_publications("publication")
    _create_publications(
        "publication_archive", sa.Column("archived_ms", sa.BigInteger, nullable=False)
    )
    op.create_index(
        "ix_publication_archive_archived_ms", "publication_archive", ["archived_ms"]
    )
    op.create_table(
        "idempotency",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_idempotency"),
    )
    op.create_table(
        "snapshot",
        sa.Column("channel_id", _Id, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("taken_ms", sa.BigInteger, nullable=False),
        *_of_channel("snapshot", "channel_id"),
    )


def _create_publications(table: str, *more: sa.Column[int]) -> None:
    op.create_table(
        table,
        sa.Column("channel_id", _Id, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("binary", sa.Boolean, nullable=False),
        sa.Column("author_id", sa.Text),
        sa.Column("author_name", sa.Text),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(64)),
        *more,
        *_of_channel(table, "channel_id", "offset"),
    )


def _of_channel(table: str, *primary_key: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.PrimaryKeyConstraint(*primary_key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=f"fk_{table}_channel_id"
        ),
    )
