"""The settings: one frozen, validated value.

`Settings()` reads neither flags nor environment: an application that embeds Hubbub says
what it wants. The command `serve` reads both, see `flags`.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_HOST: Final = "*"
OWN_KINDS: Final = frozenset({"chat", "ticker", "notes", "open", "hub"})

_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?")
_KIND_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")
_PORTS = {"http": 80, "https": 443}

Words: TypeAlias = Annotated[tuple[str, ...], NoDecode]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Bytes: TypeAlias = Annotated[int, Field(ge=1024, le=1024**3)]


class Settings(BaseModel):
    """What can be set. Frozen; raises pydantic's ValidationError for what cannot be.

    `data_dir` None keeps everything in memory. `allow_origin` are normalised origins,
    `allow_host` host names without port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address or name to listen on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port; 0 takes a free one."
    )
    data_dir: Path | None = Field(
        default=None,
        description="Directory that keeps what was said; made where missing.",
    )
    allow_host: Words = Field(
        default=(),
        validate_default=True,
        description="Host name, without port, by which browsers may call this server,"
        " beside the loopback names and --host; * accepts any.",
    )
    allow_origin: Words = Field(
        default=(),
        description="Origin (https://host or https://host:port, or null) whose pages"
        " may connect, beside this server's own.",
    )
    open_kinds: Words = Field(
        default=(),
        description="Name of a further kind of channels without rules, as open.",
    )
    market_seed: str = Field(
        default="hubbub", min_length=1, description="Seed of the simulated market."
    )
    market_hz: float = Field(
        default=10.0, gt=0, le=100, description="Updates of each symbol, per second."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least level that is logged: debug, info, warning, error.",
    )
    max_frame_bytes: Bytes = Field(
        default=64 * 1024, description="Largest JSON frame taken from a client."
    )
    note_update_bytes: Bytes = Field(
        default=256 * 1024, description="Largest single edit of a note."
    )
    note_state_bytes: Bytes = Field(
        default=2 * 1024 * 1024,
        description="Largest note, encoded; beyond it edits are refused.",
    )
    outbox_bytes: Bytes = Field(
        default=1024 * 1024,
        description="What may wait for one session until it is closed.",
    )
    send_buffer_bytes: Bytes = Field(
        default=64 * 1024,
        description="Kernel's send buffer (SO_SNDBUF) of a connection.",
    )
    subscriptions_per_session: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="Channels that one session may be in.",
    )
    ping_interval_s: Seconds = Field(
        default=25, description="Silence after which a peer is pinged."
    )
    ping_timeout_s: Seconds = Field(
        default=10, description="Wait for the answer to a ping."
    )
    close_timeout_s: float = Field(
        default=2,
        gt=0,
        le=3,
        description="Wait for a closing connection; then it is cut.",
    )
    tcp_user_timeout_s: Seconds = Field(
        default=30, description="Wait for a vanished machine (TCP_USER_TIMEOUT)."
    )
    keepalive_timeout_s: Seconds = Field(
        default=75, description="Wait for the next request on an HTTP connection."
    )
    idle_channel_s: Seconds = Field(
        default=60, description="How long a channel without anybody stays in memory."
    )

    @property
    def host_names(self) -> frozenset[str]:
        """The names by which this server may be called; `*` among them: any."""
        names = LOOPBACK | set(self.allow_host)
        return names if _is_wildcard(self.host) else names | {_bare(self.host)}

    @field_validator("allow_origin", "allow_host", "open_kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(","))
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("needs a value")
        return value

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if not _is_host(_bare(host)):
            raise ValueError("must be an address or a host name, without a port")
        return _bare(host)

    @field_validator("allow_host")
    @classmethod
    def _check_allow_host(
        cls, names: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        bare = tuple(_bare(name) for name in names)
        for given, name in zip(names, bare, strict=True):
            if name != ANY_HOST and not _is_host(name):
                raise ValueError(f"must hold host names without port, not {given!r}")
        if not bare and _is_wildcard(str(info.data.get("host", ""))):
            raise ValueError(
                f"must be given when --host is {info.data['host']}: name each host"
                " name that browsers use for this server, or say * to accept any"
            )
        return bare

    @field_validator("allow_origin")
    @classmethod
    def _check_allow_origin(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normal_origin(origin) for origin in origins)

    @field_validator("open_kinds")
    @classmethod
    def _check_open_kinds(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _KIND_NAME.fullmatch(name) or name in OWN_KINDS:
                raise ValueError(
                    "must hold names of 1 to 16 of a-z, 0-9 and _, beginning with a"
                    f" letter and not taken by Hubbub, not {name!r}"
                )
        return names


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
    if parts.scheme not in _PORTS or not bare or "@" in origin or not _is_host(name):
        raise ValueError(fault)
    shown = f"[{name}]" if ":" in name else name
    default = port is None or port == _PORTS[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if default else f":{port}")


def _is_host(name: str) -> bool:
    return _HOST_NAME.fullmatch(name) is not None or _address(name) is not None


def _is_wildcard(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _bare(host: str) -> str:
    """Return a host name in lower case, an IPv6 address without its brackets."""
    lower = host.strip().lower()
    return lower[1:-1] if lower.startswith("[") and lower.endswith("]") else lower


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
