"""Which servers there are: the one of the URL, or the masters of its cluster."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from redis.asyncio.connection import Connection as TcpConnection
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ResponseError

from ...errors import Away
from .wire import DEADLINE_S, LOAD, by_the_deadline, converse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .wire import Connection, Reply

logger = logging.getLogger("hubbub.redis")

OLDEST_VERSION = 7
SLOTS = 16_384
KEEP_ALL = "noeviction"
"""The policy that is needed: what is evicted ends streams and forgets who is there."""
_SECTIONS = ("server", "replication", "cluster", "memory")


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Unfit(Exception):
    """A server that this backplane cannot work with; the text is for an operator."""


_Facts: TypeAlias = "Mapping[str, str]"


@dataclass(frozen=True, slots=True)
class _Slots:
    """The slots from `first` to `last` are at an address."""

    first: int
    last: int
    address: Address


class Servers:
    """What is known of the servers, and the way to them.

    `url` is `redis://` or `rediss://`. A Sentinel is not asked: let a name or a proxy
    that follows the master stand in the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            options: dict[str, Any] = dict(parse_url(url))
            self._class = options.pop("connection_class", TcpConnection)
            host, port = options.pop("host", "localhost"), options.pop("port", 6379)
            self._first = Address(str(host), int(port))
            self._options = {**options, **_OURS}
            self._new(self._first)
        except TypeError as error:
            raise Unfit(f"its URL has what is not known: {error}") from error
        except ValueError:
            # The error may quote a part of the password.
            raise Unfit("its URL cannot be read: is its password encoded?") from None
        self._slots: Sequence[_Slots] = (_Slots(0, SLOTS - 1, self._first),)
        self._ids: dict[Address, str] = {}
        self.db = int(options.get("db", 0))
        self.is_cluster = False
        self.doubt = asyncio.Event()
        """Set where the servers are others than those that `survey` saw."""

    def __str__(self) -> str:
        return str(self._first)

    @property
    def addresses(self) -> Sequence[Address]:
        """The servers that are asked, each once."""
        return tuple(dict.fromkeys(each.address for each in self._slots))

    def at(self, key: str) -> Address:
        """Return the server that has a key."""
        if not self.is_cluster:
            return self._slots[0].address
        slot = key_slot(key.encode())
        for each in self._slots:
            if each.first <= slot <= each.last:
                return each.address
        raise Away(f"no server of the cluster has slot {slot}")

    async def survey(self) -> None:
        """Look at what is there now. Raises `Away` or `Unfit`."""
        self.doubt.clear()
        self._ids.clear()
        failure: Away | None = None
        for address in dict.fromkeys((self._first, *self.addresses)):
            try:
                await self._survey_from(address)
            except Away as away:
                failure = failure or away
            else:
                return
        raise failure or Away("no server is known")

    async def dial(self, address: Address) -> Connection:
        """Return a new connection that has been greeted and knows the scripts.

        The caller sets the deadline. Raises `Away`, `RedisError` or `OSError`.
        """
        connection = self._new(address)
        try:
            await connection.connect()
            replies = await converse(connection, (("INFO", "server"), *LOAD))
            _raise_errors(replies)
            self._recognise(address, _facts(replies[0]).get("run_id", ""))
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def _new(self, address: Address) -> Connection:
        made = self._class(host=address.host, port=address.port, **self._options)
        return cast("Connection", made)

    def _recognise(self, address: Address, run_id: str) -> None:
        """Notice that behind an address another server answers than before."""
        if self._ids.setdefault(address, run_id) != run_id:
            self.doubt.set()
            raise Away("another server has taken its place")

    async def reach(self, address: Address) -> Connection:
        """Return a new connection by the deadline. Raises `Away`."""
        return await by_the_deadline(self.dial(address))

    async def _survey_from(self, address: Address) -> None:
        connection = await self.reach(address)
        try:
            await by_the_deadline(self._ask_around(connection, address))
        finally:
            await connection.disconnect(nowait=True)

    async def _ask_around(self, connection: Connection, address: Address) -> None:
        questions = [("INFO", each) for each in _SECTIONS]
        facts: dict[str, str] = {}
        for reply in await converse(connection, questions):
            facts |= _facts(reply)
        _check_version(facts)
        if facts.get("maxmemory", "0") != "0" and facts["maxmemory_policy"] != KEEP_ALL:
            logger.warning("%s may evict keys: maxmemory-policy %s", address, KEEP_ALL)
        if facts.get("cluster_enabled") != "1":
            if facts.get("role") != "master":
                raise Away(f"{address} is a replica: nothing can be written to it")
            self._slots = (_Slots(0, SLOTS - 1, address),)
            return
        (map_of_slots,) = await converse(connection, [("CLUSTER", "SLOTS")])
        self._slots = tuple(_slots(map_of_slots, address))
        self.is_cluster = True


_OURS: Mapping[str, object] = {
    # Deadlines are set around whole exchanges; the library's own ones would be for each
    # read, and its retries could do twice what must be done once.
    "socket_timeout": None,
    "socket_connect_timeout": DEADLINE_S,
    "retry": Retry(NoBackoff(), 0),
    "retry_on_timeout": False,
    "health_check_interval": 0,
    "decode_responses": False,
    "driver_info": None,
    "protocol": 2,
}


def _raise_errors(replies: Sequence[Reply]) -> None:
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply


def _facts(reply: Reply) -> _Facts:
    """Return what INFO says; nothing where it is forbidden."""
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else ""
    return dict(re.findall(r"^(\w+):(.*?)\r?$", text, re.MULTILINE))


def _check_version(facts: _Facts) -> None:
    version = facts.get("redis_version", "")
    major = version.partition(".")[0]
    if not major.isdigit():
        raise Unfit("INFO is refused there: it must be allowed (ACL +info)")
    if int(major) < OLDEST_VERSION:
        raise Unfit(f"it is Redis {version}, {OLDEST_VERSION} is needed")


def _slots(reply: Reply, asked: Address) -> Sequence[_Slots]:
    """Read CLUSTER SLOTS: [first, last, [host, port, ...], replicas...] for each."""
    if not isinstance(reply, list) or not reply:
        raise Away("the cluster has given its slots to nobody yet")
    found = []
    for first, last, (host, port, *_), *_ in reply:
        name = host.decode() if host and host != b"?" else asked.host
        found.append(_Slots(int(first), int(last), Address(name, int(port))))
    return found
