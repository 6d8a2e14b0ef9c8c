"""What listens, and what its address is called; serving itself is in test_main."""

from __future__ import annotations

import resource
import socket

import pytest

from server.errors import SettingsError
from server.serving import address, allow_connections, listen
from server.settings import Settings


def test_what_is_accepted_has_the_settings_bounds() -> None:
    """The send buffer and the timeout of the listener pass on to its connections."""
    settings = Settings(port=0, send_buffer_bytes=32768, tcp_user_timeout_s=7)
    with listen(settings) as listener:
        peer = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with peer, accepted:
            size = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            assert size in {32768, 65536}
            timeout_ms = accepted.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
            )
            assert timeout_ms == 7000


def test_as_many_connections_as_may_be() -> None:
    """The process's own limit is raised to the one that it was given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    less = hard // 2 if hard > 0 else 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (less, hard))
    try:
        allow_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("localhost", "http://localhost:"),
        ("0.0.0.0", "http://127.0.0.1:"),  # noqa: S104 - for a moment, nobody asks
    ],
)
def test_the_address_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    """Also where it listens on all of them."""
    settings = Settings(host=host, port=0, allow_host=("localhost",))
    with listen(settings) as listener:
        assert address(host, listener).startswith(url)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_ipv6_address_stands_in_brackets() -> None:
    """And one socket serves both where it listens on all."""
    try:
        listener = listen(Settings(host="::1", port=0))
    except SettingsError:
        pytest.skip("no IPv6 loopback")
    with listener:
        assert address("::1", listener).startswith("http://[::1]:")
    everywhere = Settings(host="::", port=0, allow_host=("localhost",))
    with listen(everywhere) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        assert address("::", listener) == f"http://127.0.0.1:{port}"


def test_a_shared_port_is_listened_on_by_several() -> None:
    """Where each of them says so; one that does not is kept out."""
    with listen(Settings(port=0), shared=True) as first:
        again = Settings(port=first.getsockname()[1])
        listen(again, shared=True).close()
        with pytest.raises(SettingsError):
            listen(again)
