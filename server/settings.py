"""The settings: one frozen, validated value.

`Settings()` reads neither flags nor environment: an application that embeds Hubbub says
what it wants. The command `serve` reads both, see `flags`.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from .addresses import (
    POSTGRES,
    bare_host,
    is_host,
    is_postgres,
    is_redis,
    is_wildcard,
    normal_origin,
)

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_HOST: Final = "*"
OWN_KINDS: Final = frozenset({"chat", "ticker", "notes", "open", "hub"})

_KIND_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")

Words: TypeAlias = Annotated[tuple[str, ...], NoDecode]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Bytes: TypeAlias = Annotated[int, Field(ge=1024, le=1024**3)]


class Settings(BaseModel):
    """What can be set. Frozen; raises pydantic's ValidationError for what cannot be.

    `data_dir` and `database_url` None keep everything in memory. `allow_origin` are
    normalised origins, `allow_host` host names without port.
    """

    # Faults do not repeat what was given: there may be a password in it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", description="Address or name to listen on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port; 0 takes a free one."
    )
    data_dir: Path | None = Field(
        default=None,
        description="Directory that keeps what was said; made where missing.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL database that all nodes share,"
        " postgresql+asyncpg://user:password@host/name; takes the place of the data"
        " directory.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis (or Valkey) 7 that connects many nodes,"
        " redis://user:password@host:port/0, rediss:// with TLS; needs a database URL.",
    )
    redis_prefix: str = Field(
        default="hubbub",
        pattern=r"^[A-Za-z0-9_.-]{1,32}$",
        description="What the names of all keys and channels in Redis begin with.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that serve on the same port; more than one needs Redis.",
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
    compress: bool = Field(
        default=False,
        description="Compress what WebSocket clients are sent, where they offer it"
        " (permessage-deflate).",
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
    max_sessions: int = Field(
        default=20_000,
        ge=1,
        le=1_000_000,
        description="Sessions that one process has at once; who comes then gets 503.",
    )
    frames_per_s: int = Field(
        default=5_000,
        ge=0,
        le=1_000_000,
        description="WebSocket frames that one connection may send in a second, and as"
        " many at once; 0 is any number.",
    )
    handshake_timeout_s: Seconds = Field(
        default=10, description="Wait for the first request on a new connection."
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

    @cached_property
    def host_names(self) -> frozenset[str]:
        """The names by which this server may be called; `*` among them: any."""
        names = LOOPBACK | set(self.allow_host)
        return names if is_wildcard(self.host) else names | {bare_host(self.host)}

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

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not is_postgres(url.get_secret_value()):
            raise ValueError(
                f"must look like {POSTGRES}://user:password@host/name,"
                " with %-codes for special characters in user and password"
            )
        return url

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not is_redis(url.get_secret_value()):
            raise ValueError(
                "must look like redis://user:password@host:port/0, or rediss:// for"
                " TLS, with %-codes for special characters in user and password"
            )
        return url

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        faults = []
        if self.database_url is not None and self._has_chosen_directory():
            faults.append(
                "--data-dir (HUBBUB_DATA_DIR) and --database-url (HUBBUB_DATABASE_URL)"
                " cannot be given together: choose one"
            )
        if self.redis_url is not None and self.database_url is None:
            faults.append(
                "--redis-url (HUBBUB_REDIS_URL) needs --database-url"
                " (HUBBUB_DATABASE_URL) as well: chat and notes are kept for good, and"
                " nodes that keep them each for itself would not have the same ones"
            )
        if self.workers > 1 and self.redis_url is None:
            faults.append(
                "--workers (HUBBUB_WORKERS) above 1 needs --redis-url"
                " (HUBBUB_REDIS_URL): without it the workers would not hear each other"
            )
        if faults:
            raise ValueError(". ".join(faults))
        return self

    def _has_chosen_directory(self) -> bool:
        return self.data_dir is not None and "data_dir" in self.model_fields_set

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if not is_host(bare_host(host)):
            raise ValueError("must be an address or a host name, without a port")
        return bare_host(host)

    @field_validator("allow_host")
    @classmethod
    def _check_allow_host(
        cls, names: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        bare = tuple(bare_host(name) for name in names)
        for given, name in zip(names, bare, strict=True):
            if name != ANY_HOST and not is_host(name):
                raise ValueError(f"must hold host names without port, not {given!r}")
        if not bare and is_wildcard(str(info.data.get("host", ""))):
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
