"""The tables, as `stores/migrations` makes them. A test holds the two together.

`channel.top` is the newest offset, `channel.floor` the one that the newest snapshot
stands for: `publication` holds floor + 1 ... top of each channel, without holes. What
was compacted lies in `publication_archive` for a while. `idempotency` outlives both.
`store` has one row: `secret` signs the cookies of all nodes (None where the data
directory holds it), `origin` is the server that last wrote, see `origin.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts a primary key up by itself only where its type is INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")


class _Said(TypeDecorator[str]):
    """Text from people. PostgreSQL's has no U+0000: one is kept as U+FFFD there."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is kept."""
        return value and (value if dialect.name == "sqlite" else storable(value))


def storable(text: str) -> str:
    """Return a text as every database can hold it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


store = Table(
    "store",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("secret", String(64)),
    Column("origin", Text),
)

channel = Table(
    "channel",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(81), nullable=False, unique=True),
    Column("epoch", String(16), nullable=False),
    Column("top", BigInteger, nullable=False),
    Column("floor", BigInteger, nullable=False),
)


def _publication_columns() -> list[Column[object]]:
    """Return the columns of a publication; `binary` tells bytes from JSON text."""
    return [
        Column("channel_id", _Id, ForeignKey(channel.c.id), primary_key=True),
        Column("offset", BigInteger, primary_key=True, autoincrement=False),
        Column("event", _Said, nullable=False),
        Column("content", LargeBinary, nullable=False),
        Column("binary", Boolean, nullable=False),
        Column("author_id", _Said),
        Column("author_name", _Said),
        Column("time_ms", BigInteger, nullable=False),
        Column("key", String(64)),
    ]


publication = Table("publication", metadata, *_publication_columns())

publication_archive = Table(
    "publication_archive",
    metadata,
    *_publication_columns(),
    Column("archived_ms", BigInteger, nullable=False),
    Index(None, "archived_ms"),
)

# One column, so that a batch's keys are one IN list that every database looks up by its
# index (SQLite before 3.46 scans for lists of tuples). See `appending.scope`.
idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("offset", BigInteger, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("channel_id", _Id, ForeignKey(channel.c.id), primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("taken_ms", BigInteger, nullable=False),
)

chat_room = Table(
    "chat_room",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_text", _Said, nullable=False),
    Column("last_author", _Said, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Index(None, "last_ms"),
)

note = Table(
    "note",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("title", _Said, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("updated_by", _Said, nullable=False),
    Column("chars", BigInteger, nullable=False),
    Index(None, "updated_ms"),
)
