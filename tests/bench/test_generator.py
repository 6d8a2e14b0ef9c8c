"""The load generator counts what it hears, and only that."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bench import workshop
from bench.generator import Crowd, CrowdError
from bench.peers import Peer, Running
from bench.wires import BARE, HUBBUB_SOCKETIO, MARKET, PAYLOAD_BYTES, SSE, Wire
from bench.workshop import Missing, Runtime

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
READY = b'\x81\x10{"type":"reply"}'
CORE = min(os.sched_getaffinity(0))


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    try:
        workshop.generator()
    except Missing as reason:
        pytest.skip(str(reason))


def crowd(port: int, wire: Wire = BARE, payload_bytes: int = PAYLOAD_BYTES) -> Crowd:
    """A crowd of a wire, on any core that we have."""
    return Crowd(workshop.generator(), CORE, wire.orders(port, payload_bytes))


@contextmanager
def scripted(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says to each connection what the test wants; yields its port."""

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
                while connection.recv(4096):
                    pass
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def unmasked(frame: bytes) -> bytes:
    """Return the payload of a client's short frame."""
    length, mask = frame[1] & 0x7F, frame[2:6]
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(frame[6 : 6 + length]))


def test_each_publication_reaches_its_room_once() -> None:
    """From the server in C, which frames once and sends once for each round."""
    server = Running(Peer("c", ()), CORE, workshop.command(Runtime.C))
    with server, crowd(server.port) as people:
        server.wake()
        people.connect("hall", 3, 5)
        heard = people.run(4, 0.05)
    assert heard.deliveries == heard.publications * 5 > 0
    assert 0 < heard.p50_s <= heard.p99_s <= heard.max_s < heard.wall_s


def test_what_does_not_come_is_a_stall() -> None:
    """A server that loses a publication gets no figures."""
    silent = scripted(lambda peer: peer.sendall(UPGRADED + READY))
    with silent as port, crowd(port) as people:
        people.connect("hall", 1, 2)
        with pytest.raises(CrowdError, match="stalled: 0 of 2 came"):
            people.run(1, 0.01, within_s=0.2)


def test_what_comes_twice_does_not_count() -> None:
    """Or a server would be faster the more it repeats itself."""

    def repeat(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(UPGRADED + READY)
        while frame := peer.recv(4096):
            text = unmasked(frame)
            peer.sendall((bytes((0x81, len(text))) + text) * 2)

    with scripted(repeat) as port, crowd(port) as people:
        people.connect("hall", 1, 1)
        with pytest.raises(CrowdError, match="came twice or out of order"):
            people.run(1, 0.05)


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered HTTP/1.1 404 Not Found"),
        (UPGRADED + b"\x88\x02\x0b\xc0", "closed with code 3008"),
        (UPGRADED + b"\x01\x01x", "frame that begins with 01"),
    ],
)
def test_a_refusal_is_told(says: bytes, fault: str) -> None:
    """Its words stand in the table in the place of figures."""
    refusing = scripted(lambda peer: peer.sendall(says))
    with (
        refusing as port,
        crowd(port) as people,
        pytest.raises(CrowdError, match=fault),
    ):
        people.connect("hall", 1, 1)


def test_frames_may_come_in_any_pieces() -> None:
    """A head, a frame, a stamp may be cut anywhere."""

    def drip(peer: socket.socket) -> None:
        peer.recv(4096)
        for byte in UPGRADED + READY:
            peer.sendall(bytes((byte,)))
        while frame := peer.recv(4096):
            text = unmasked(frame)
            for byte in bytes((0x81, len(text))) + text:
                peer.sendall(bytes((byte,)))

    with scripted(drip) as port, crowd(port) as people:
        people.connect("hall", 1, 1)
        heard = people.run(1, 0.05)
    assert heard.deliveries == heard.publications > 0


def test_it_joins_as_a_socketio_client_does() -> None:
    """The steps are taken in order, and a ping of Engine.IO is answered."""
    said: list[bytes] = []

    def engine(peer: socket.socket) -> None:
        assert b"transport=websocket" in peer.recv(4096)
        peer.sendall(UPGRADED + b"\x81\x02" + b"0{")
        said.append(unmasked(peer.recv(4096)))
        peer.sendall(b"\x81\x01" + b"2" + b"\x81\x04" + b"40{}")
        said.append(unmasked(peer.recv(7)))
        said.append(unmasked(peer.recv(4096)))
        peer.sendall(b"\x81\x07" + b"430[{}]")

    with scripted(engine) as port, crowd(port, HUBBUB_SOCKETIO) as people:
        people.connect("hall", 1, 1)
    assert said[0] == b"40"
    assert said[1] == b"3"
    assert said[2].endswith(b'420["join","hall-0"]')


def reply(text: bytes) -> bytes:
    """A server's text frame of less than 126 bytes."""
    return bytes((0x81, len(text))) + text


@pytest.mark.parametrize("count", [0, 1, 2])
def test_who_comes_back_is_told_what_was_missed_once(count: int) -> None:
    """What it is told less is lost, what it is told more is wrong."""
    room: list[socket.socket] = []
    told: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(UPGRADED + reply(b'{"type":"reply"' + b"".join(told) * count))
        room.append(peer)
        while len(room) <= 2 and (frame := peer.recv(4096)):
            told.append(unmasked(frame))
            peer.sendall(reply(told[-1]))

    with scripted(serve) as port, crowd(port) as people:
        people.connect("hall", 1, 2)
        people.leave(1)
        returned = people.come_back()
    assert (returned.lost, returned.wrong) == ((1, 0), (0, 0), (0, 1))[count]


def test_an_acknowledgement_of_nothing_is_a_fault() -> None:
    """Or a server would be faster the more it acknowledges."""

    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(UPGRADED + READY)
        peer.recv(4096)
        peer.sendall(reply(b'{"type":"reply","id":1}'))

    wire = replace(BARE, speaker="/ws", publication='{"id":##########,"data":"~"}')
    with scripted(serve) as port, crowd(port, wire) as people:
        people.connect("hall", 1, 1)
        with pytest.raises(CrowdError, match="acknowledgement of nothing"):
            people.press(1, 0.05)


def refusing(error: bytes) -> Callable[[socket.socket], None]:
    """A server that lets everybody in, and refuses each publication."""

    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(UPGRADED + READY)
        while frame := peer.recv(4096):
            id_ = unmasked(frame[: 6 + (frame[1] & 0x7F)])[6:16]
            peer.sendall(reply(b'{"type":"error","id":' + id_ + error))

    return serve


SPOKEN = replace(BARE, speaker="/ws", publication='{"id":##########,"d":"~"}')
SHORT = 30


def test_what_is_refused_for_good_is_a_fault() -> None:
    """In the words of the server."""
    says = scripted(refusing(b',"code":103,"temporary":false}'))
    with says as port, crowd(port, SPOKEN, SHORT) as people:
        people.connect("hall", 1, 1)
        with pytest.raises(CrowdError, match=r"refused: .*103"):
            people.pace(1000, 0.01)


def test_what_is_refused_for_now_is_counted() -> None:
    """Its speaker rests, and says the next one."""
    says = scripted(refusing(b',"code":111,"temporary":true}'))
    with says as port, crowd(port, SPOKEN, SHORT) as people:
        people.connect("hall", 1, 1)
        told = people.press(1, 0.2)
    assert told.acknowledged == 0
    assert 0 < told.refused <= 5


def test_a_value_is_as_old_as_it_says() -> None:
    """By the time that stands first in its frame."""

    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(UPGRADED + READY)
        then_ms = int(time.time() * 1000) - 60_000
        for _ in range(50):
            value = f'{{"event":"quote","data":{{"time":{then_ms}}},"time":1}}'
            peer.sendall(reply(b'{"event":"bar","data":1}') + reply(value.encode()))
            time.sleep(0.01)

    with scripted(serve) as port, crowd(port, MARKET) as people:
        people.connect("hall", 1, 1)
        read = people.listen(0.2)
    assert 0 < read.values <= 50
    assert 60 <= read.max_s < 90


def test_a_stream_is_read_and_a_speaker_speaks() -> None:
    """Over SSE nobody can publish; a WebSocket beside the stream does."""
    streams: list[socket.socket] = []

    def serve(peer: socket.socket) -> None:
        if b"event-stream" in peer.recv(4096):
            streams.append(peer)
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nevent: subscribed\n\n")
            return
        peer.sendall(UPGRADED)
        while frame := peer.recv(4096):
            length = int.from_bytes(frame[2:4], "big")
            text = bytes(byte ^ frame[4 + at % 4] for at, byte in enumerate(frame[8:]))
            assert len(text) == length
            for stream in streams:
                # Cut in the middle of the stamp.
                middle = text.index(b"~") + 5
                stream.sendall(b"data: " + text[:middle])
                stream.sendall(text[middle:] + b"\n\n")

    with scripted(serve) as port, crowd(port, SSE) as people:
        people.connect("hall", 1, 2)
        heard = people.run(1, 0.05)
    assert heard.deliveries == 2 * heard.publications > 0
