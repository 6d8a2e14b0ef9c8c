"""Words that name something on a network: hosts, origins, URLs of services. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

POSTGRES: Final = "postgresql+asyncpg"

_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?")
_PORTS = {"http": 80, "https": 443}


def is_postgres(url: str) -> bool:
    """Whether a URL names a database of PostgreSQL on some host."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or "host=" in parts.query
    return parts.scheme == POSTGRES and bool(host) and len(parts.path) > 1


def is_redis(url: str) -> bool:
    """Whether a URL names a Redis, with TLS or without."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("redis", "rediss") and bool(parts.hostname)


def normal_origin(origin: str) -> str:
    """Return an origin as browsers write it; raise ValueError if it is none."""
    if origin == "null":
        return origin
    fault = f"must hold exact origins like https://example.org:8443, not {origin!r}"
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise ValueError(fault) from None
    name = parts.hostname or ""
    bare = f"{parts.scheme}://{parts.netloc}".lower() == origin.lower()
    if parts.scheme not in _PORTS or not bare or "@" in origin or not is_host(name):
        raise ValueError(fault)
    shown = f"[{name}]" if ":" in name else name
    default = port is None or port == _PORTS[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if default else f":{port}")


def is_host(name: str) -> bool:
    """Whether it is an address or can be a host name; lower case, without brackets."""
    return _HOST_NAME.fullmatch(name) is not None or address_of(name) is not None


def is_wildcard(host: str) -> bool:
    """Whether it is the address that means: all addresses of this machine."""
    address = address_of(host)
    return address is not None and address.is_unspecified


def bare_host(host: str) -> str:
    """Return a host name in lower case, an IPv6 address without its brackets."""
    lower = host.strip().lower()
    return lower[1:-1] if lower.startswith("[") and lower.endswith("]") else lower


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as; None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
