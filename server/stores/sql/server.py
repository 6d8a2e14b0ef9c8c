"""The PostgreSQL server behind a URL: how a line to it is opened, and greeted.

Before a line is used it is known that the server holds what we wrote (`origin`), and,
for the one that writes, that this node may be here: its session holds an advisory lock,
alone or together with others. So nothing is ever written without that lock, and a line
that is opened anew takes it anew.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ...errors import Away, SettingsError
from . import origin
from .lane import Doubt, Line, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from .lane import Wire

logger = logging.getLogger("hubbub.stores")

CONNECT_S: Final = 1.5
"""How long it may take to reach the server, and again to greet it."""
ANEW_S: Final = 120.0
"""How long it may take to give all channels new epochs."""
HOLD_WAIT_S: Final = 1.0
"""How long a lock is waited for: a process that was killed just now may hold it."""
_HOLD_POLL_S: Final = 0.1

# The server gives up a little before we do, so that a slow statement costs no
# connection; and ends a transaction whose node was stopped in the middle, so that
# others do not wait for its locks. A machine that vanished is noticed in half a minute.
_SERVER_SETTINGS: Final = {
    "application_name": "hubbub",
    "synchronous_commit": "on",
    "statement_timeout": "1800ms",
    "idle_in_transaction_session_timeout": "2s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

# Advisory locks are numbers, common to all that use a database: "hubbub" in ASCII.
IN_USE: Final = 0x687562627562
MIGRATING: Final = IN_USE + 1

_HOLD_ALONE = text(f"SELECT pg_try_advisory_lock({IN_USE})")
_HOLD_TOGETHER = text(f"SELECT pg_try_advisory_lock_shared({IN_USE})")
_SESSION = text(
    "SELECT pid, backend_start::text AS start FROM pg_stat_activity"
    " WHERE pid = pg_backend_pid()"
)
_END_SESSION = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid = :pid AND backend_start::text = :start"
)
_READ_ONLY = text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


class Server:
    """Opens lines to the database of a URL. `name` is what people may see of it."""

    def __init__(self, url: str, *, alone: bool) -> None:
        try:
            parsed = make_url(url)
            self._engine = create_async_engine(
                parsed,
                poolclass=NullPool,
                isolation_level="READ COMMITTED",
                # What people said, and the secret, belong in no log.
                hide_parameters=True,
                connect_args={"server_settings": _SERVER_SETTINGS},
            )
        except ArgumentError:
            raise SettingsError(["The database's URL cannot be read."]) from None
        except ModuleNotFoundError as error:
            fault = (
                f"The driver for PostgreSQL is missing ({error.name})."
                " Install it: pip install 'hubbub[postgres]'."
            )
            raise SettingsError([fault]) from error
        host = parsed.host or parsed.query.get("host", "")
        port = f":{parsed.port}" if parsed.port else ""
        self.name = f"{host}{port}/{parsed.database}"
        self._alone = alone
        self._doubt = Doubt()
        self._session: dict[str, object] | None = None
        self._warned = False

    async def writer(self, prepare: Callable[[Connection], None] | None = None) -> Line:
        """Open the line that writes; run `prepare` first, in its own transaction.

        Raises `Away`, with words, also where this node may not be there.
        """
        async with self._connected() as line:
            with line.within(CONNECT_S):
                await self._hold(line.connection)
            if prepare is not None:
                async with line.connection.begin():
                    await line.connection.run_sync(prepare)
            await self._recognise(line)
        return line

    async def reader(self) -> Line:
        """Open a line that reads: each statement by itself, what is committed then."""
        async with self._connected() as line:
            await self._recognise(line)
            with line.within(CONNECT_S):
                await line.connection.execution_options(isolation_level="AUTOCOMMIT")
                async with line.connection.begin():
                    await line.connection.execute(_READ_ONLY)
        return line

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Line]:
        """Open a line; close it if the greeting fails."""
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await self._engine.connect()
        except (DBAPIError, OSError) as error:
            raise Away(words(error)) from error
        pooled = await connection.get_raw_connection()
        wire = cast("Wire", pooled.driver_connection)
        line = Line(connection, wire, self._doubt)
        try:
            yield line
        except DBAPIError as error:
            await line.close()
            raise Away(words(error)) from error
        except BaseException:
            await line.close()
            raise

    async def _hold(self, connection: AsyncConnection) -> None:
        """Take the lock that says that this node is here."""
        async with connection.begin():
            if self._session is not None:
                # Our line of before may live on there, cut on our side only.
                await connection.execute(_END_SESSION, self._session)
            row = (await connection.execute(_SESSION)).one()
            self._session = {"pid": row.pid, "start": row.start}
            take = _HOLD_ALONE if self._alone else _HOLD_TOGETHER
            loop = asyncio.get_running_loop()
            give_up_s = loop.time() + HOLD_WAIT_S
            # Asked again and again, not waited for: who waits to be alone would let
            # nobody else in meanwhile.
            while not await connection.scalar(take):
                if loop.time() > give_up_s:
                    raise InUse(self._in_use())
                await asyncio.sleep(_HOLD_POLL_S)

    def _in_use(self) -> str:
        other = "another Hubbub" if self._alone else "a Hubbub that has no --redis-url"
        return (
            f"The database {self.name} is in use by {other}."
            " Give all of them the same --redis-url, or stop that one."
        )

    async def _recognise(self, line: Line) -> None:
        """Compare where the store is with where it was; begin anew if it moved."""
        connection = line.connection
        with line.within(CONNECT_S):
            async with connection.begin():
                found = await connection.run_sync(origin.find_origin)
            if found is None:
                self._warn()
                return
            async with connection.begin():
                if await connection.run_sync(origin.is_known, found):
                    return
        with line.within(ANEW_S):
            async with connection.begin():
                await connection.run_sync(origin.begin_anew, found)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "the role may not ask which server this is: a restored backup or a"
                " replica that takes over cannot be told from it"
            )


class InUse(Away):
    """Others are there, so that this node cannot be."""
