"""What is known of the servers: their version, and who has which slot."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from server.backplanes.redis.servers import Address, Servers, Unfit
from server.errors import Away

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@asynccontextmanager
async def pretending(facts: Mapping[str, str], slots: bytes) -> AsyncIterator[str]:
    """Run what answers as a server would that has these facts; give its URL."""
    writers: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while count := await reader.readline():
            words = []
            for _ in range(int(count[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            writer.write(answer(words))

    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"INFO":
            text = "".join(f"{name}:{value}\r\n" for name, value in facts.items())
            return b"$%d\r\n%b\r\n" % (len(text), text.encode())
        return slots if words[0] == b"CLUSTER" else b"+OK\r\n"

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


GOOD = {"redis_version": "7.0.15", "role": "master", "cluster_enabled": "0"}
TWO = (
    b"*2\r\n"
    b"*3\r\n:0\r\n:99\r\n*2\r\n$8\r\n10.0.0.1\r\n:6379\r\n"
    b"*4\r\n:100\r\n:16000\r\n*2\r\n$0\r\n\r\n:7000\r\n*2\r\n$8\r\n10.0.0.9\r\n:1\r\n"
)


async def test_one_server_has_all() -> None:
    """And is where the URL says."""
    async with pretending(GOOD, b"*0\r\n") as url:
        servers = Servers(url)
        await servers.survey()
        assert not servers.is_cluster
        assert [str(each) for each in servers.addresses] == [str(servers)]
        assert servers.at("anything") == servers.addresses[0]


async def test_a_cluster_shares_its_slots() -> None:
    """A master without a name is where it was asked; replicas are not asked."""
    async with pretending({**GOOD, "cluster_enabled": "1"}, TWO) as url:
        servers = Servers(url)
        await servers.survey()
        assert servers.is_cluster
        assert servers.addresses == (
            Address("10.0.0.1", 6379),
            Address("127.0.0.1", 7000),
        )
        assert servers.at("{b}") == Address("127.0.0.1", 7000)
        with pytest.raises(Away, match="slot 16346"):
            servers.at("{slot of nobody 13}")


@pytest.mark.parametrize(
    ("facts", "slots", "why"),
    [
        ({"redis_version": "6.2.14"}, b"", "Redis 6.2.14, 7 is needed"),
        ({"redis_version": ""}, b"", "INFO is refused"),
        ({"role": "slave"}, b"", "is a replica"),
        ({"cluster_enabled": "1"}, b"*0\r\n", "to nobody yet"),
        ({"cluster_enabled": "1"}, b"-ERR no\r\n", "to nobody yet"),
    ],
)
async def test_not_every_server_will_do(
    facts: dict[str, str], slots: bytes, why: str
) -> None:
    """The reason is told to the operator."""
    async with pretending({**GOOD, **facts}, slots) as url:
        with pytest.raises((Unfit, Away), match=why):
            await Servers(url).survey()


async def test_keys_that_may_be_evicted_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where memory has a bound, and the policy is not to refuse."""
    evicting = {**GOOD, "maxmemory": "1", "maxmemory_policy": "allkeys-lru"}
    async with pretending(evicting, b"") as url:
        await Servers(url).survey()
    assert "may evict keys" in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:secret@cache:7000/3?ssl_ca_certs=x", "URL"),
        ("redis://me:secret@cache:7000/3", "cache:7000"),
        ("rediss://cache", "cache:6379"),
        ("unix:///run/redis.sock?db=2", "URL"),
        ("redis://me:secret/x@cache", "URL"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Whatever the URL has beside it."""
    try:
        text = str(Servers(url))
    except Unfit as unfit:
        text = str(unfit)
    assert shown in text
    assert "secret" not in text
