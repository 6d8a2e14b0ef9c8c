"""The command: one line when it listens, a sentence and 2 when it cannot."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from server import __main__ as command
from server.web.package import version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, started as people start it, on a free port."""
    process = await start(tmp_path)
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def start(data: Path, *flags: str) -> asyncio.subprocess.Process:
    """Start the command."""
    given = ("--port", "0", "--data-dir", str(data / "data"), *flags)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server",
        "serve",
        *given,
        cwd=ROOT,
        env={key: text for key, text in os.environ.items() if "HUBBUB" not in key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def address_of(process: asyncio.subprocess.Process) -> str:
    """Wait for the line that says where it is."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("Hubbub is at http://127.0.0.1:")
    return line.removeprefix("Hubbub is at ").strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_told_to_stop(
    serving: asyncio.subprocess.Process, number: signal.Signals
) -> None:
    """It says once where it is, tells its sockets to come back, and exits with 0."""
    url = await address_of(serving)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 200
        async with session.ws_connect(f"{url}/ws/chat/lobby") as ws:
            await ws.receive_json()
            began_s = asyncio.get_running_loop().time()
            serving.send_signal(number)
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert message.data == 3001
    out, _ = await serving.communicate()
    assert out == b""
    assert serving.returncode == 0
    assert asyncio.get_running_loop().time() - began_s < 5


async def test_a_silent_peer_does_not_hold_up_the_end(
    serving: asyncio.subprocess.Process,
) -> None:
    """One that never answers the close, and one that never finished its request."""
    url = await address_of(serving)
    port = int(url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    silent[0].sendall(b"GET / HTTP/1.1\r\nHost: local")
    silent[1].sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(sock=silent[1])
    assert b" 101 " in await reader.readline()
    serving.terminate()
    async with asyncio.timeout(5):
        await serving.wait()
    assert serving.returncode == 0
    writer.close()
    silent[0].close()


async def test_a_data_directory_in_use_is_told_in_a_sentence(
    serving: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    """A second process exits with 2, and without a trace."""
    await address_of(serving)
    second = await start(tmp_path)
    out, told = await second.communicate()
    assert (second.returncode, out) == (2, b"")
    assert b"is in use by another Hubbub" in told
    assert b"Traceback" not in told


def test_a_port_in_use_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the flags by which to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert command.main(["serve", "--memory", "--port", str(port)]) == 2
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith(f"Hubbub cannot listen on 127.0.0.1, port {port}: address ")
    assert "--port" in told


def test_a_host_that_is_none_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where it cannot be resolved, or is another machine's."""
    assert command.main(["serve", "--memory", "--host", "192.0.2.1"]) == 2
    assert "Hubbub cannot listen on 192.0.2.1" in capsys.readouterr().err


def test_wrong_flags_are_told_and_nothing_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each fault in a line."""
    assert command.main(["serve", "--port", "high", "--prot", "1"]) == 2
    out, told = capsys.readouterr()
    assert out == ""
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--version"], 0, f"hubbub {version()}"),
        (["--help"], 0, "hubbub serve"),
        (["-h"], 0, "hubbub serve"),
        (["serve", "--help"], 0, "--max-frame-bytes BYTES"),
        (["serve", "--port", "high", "-h"], 0, "HUBBUB_PORT"),
        ([], 2, "usage: hubbub serve"),
        (["sevre"], 2, "There is no command 'sevre'."),
    ],
)
def test_the_command_explains_itself(
    argv: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout where one asked, on stderr where it was wrong."""
    assert command.main(argv) == code
    out, told = capsys.readouterr()
    assert words in (told if code else out)
    assert (out if code else told) == ""


def test_it_returns_when_it_was_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process: the signal comes as soon as the address is printed."""
    printed: list[str] = []

    def stop(line: str, *, flush: bool) -> None:
        assert flush
        printed.append(line)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(command, "print", stop, raising=False)
    monkeypatch.setattr(command, "set_up_logging", lambda _level: None)
    assert command.main(["serve", "--memory", "--port", "0"]) == 0
    (line,) = printed
    assert line.startswith("Hubbub is at http://127.0.0.1:")


def test_without_arguments_it_takes_the_process_s_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the installed command calls it."""
    monkeypatch.setattr(sys, "argv", ["hubbub", "--version"])
    assert command.main() == 0
    assert capsys.readouterr().out == f"hubbub {version()}\n"
