"""Puts the house together: the only module that names stores, backplanes and kinds.

Start: store -> backplane and hub -> sources -> listen. Stop, the reverse: stop
listening, tell all sessions to come back, let what was submitted be kept, leave the
other nodes, end the tasks, close the store.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from . import keys
from .backplanes.local import LocalBackplane
from .errors import SettingsError
from .gateways import either
from .gateways.native import handler as native
from .gateways.socketio import routes as socketio
from .gateways.sse import handler as sse
from .gateways.words import words_of
from .hub.hub import Hub
from .hub.limits import Limits
from .kinds.chat.kind import ChatKind
from .kinds.notes.kind import NotesKind
from .kinds.open import OpenKind
from .kinds.ticker.kind import TickerKind
from .model import split_channel
from .runtime.clock import SystemClock, random_epoch, random_id
from .seams.kind import Keep, Kind, Policy
from .settings import Settings
from .stores.datadir import DataDirectory
from .stores.memory import MemoryStore
from .stores.recall import Recall
from .stores.ring import Bounds
from .stores.sql.store import SqlStore
from .web import lab, live, routes, welcome
from .web.origins import open_to_origins

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from .gateways.socketio.namespace import Namespace
    from .keys import Identify
    from .kinds.chat.rows import ChatRows
    from .kinds.notes.rows import NoteRows
    from .runtime.clock import Clock
    from .seams.backplane import Backplane
    from .seams.log import Log

UNKEPT = Bounds(size=1_000_000, age_s=float("inf"), max_bytes=64 * 1024 * 1024)
"""What stays of a durable kind's channel where there is no store to keep it."""

OPEN_HISTORY = Policy(history_size=5_000)
"""As much as one catch-up may hold: a reader at 500 a second may stall for 10 s."""

HUB_HISTORY = Policy(history_size=180, recent=180)
"""What the dashboard's own channel keeps: three minutes, a publication a second."""


@dataclass(frozen=True, slots=True)
class _Store:
    """What the house needs of a store, whichever it is."""

    logs: Mapping[Keep, Log]
    chat: ChatRows
    notes: NoteRows
    secret: bytes


def build_app(settings: Settings | None = None) -> web.Application:
    """Return Hubbub as an application of its own.

    `settings` None: everything in memory, nothing survives.
    """
    app = web.Application()
    _assemble(app, settings or Settings())
    return app


def add_hubbub(
    app: web.Application,
    *,
    prefix: str = "/live",
    identify: Identify | None = None,
    settings: Settings | None = None,
    kinds: Mapping[str, Kind] | None = None,
    namespaces: Sequence[Namespace] = (),
) -> Hub:
    """Put Hubbub into an existing aiohttp application, and return its hub.

    `prefix` is where its pages and sockets live, e.g. `/live`. `identify` says who a
    request is of (a `Principal`; None refuses it); without it visitors are Hubbub's own
    guests. `kinds` are further kinds by name. `namespaces` are Socket.IO's, with your
    own event handlers; one without a kind of its name gets channels without app rules.
    Publish from any handler once the application has started:
    `await hub.publish("open:news", {"text": "..."})`.
    """
    live = web.Application()
    hub = _assemble(
        live,
        settings or Settings(),
        base=prefix.rstrip("/"),
        identify=identify,
        more=kinds,
        namespaces=namespaces,
    )
    app.add_subapp(prefix, live)
    return hub


def _assemble(
    app: web.Application,
    settings: Settings,
    *,
    base: str = "",
    identify: Identify | None = None,
    more: Mapping[str, Kind] | None = None,
    namespaces: Sequence[Namespace] = (),
) -> Hub:
    clock = SystemClock()
    ticker = TickerKind(clock, settings.market_seed, settings.market_hz)
    opened = ("open", *settings.open_kinds, *(each.kind for each in namespaces))
    kinds: dict[str, Kind] = {
        **{name: OpenKind(clock, OPEN_HISTORY) for name in opened},
        "chat": ChatKind(clock),
        "ticker": ticker,
        "notes": NotesKind(
            clock, settings.note_update_bytes, settings.note_state_bytes
        ),
        "hub": OpenKind(clock, HUB_HISTORY, writers=frozenset()),
        **(more or {}),
    }
    backplane, shared = _backplane(settings, kinds)
    hub = Hub(kinds, backplane, clock, random_id, _limits(settings))
    app[keys.SETTINGS] = settings
    app[keys.BASE] = base
    app[keys.HUB] = hub
    app[keys.TICKER] = ticker
    if identify is not None:
        app[keys.IDENTIFY] = identify
    routes.setup(app)
    lab.setup(app)
    app[keys.WORDS] = words_of
    app.add_routes([*native.routes(), *either.routes()])
    open_to_origins(app, [*sse.routes(), *socketio.routes(hub, namespaces)])
    app.cleanup_ctx.append(_life(settings, clock, kinds, shared))
    app.on_shutdown.append(_send_away)
    return hub


def _backplane(
    settings: Settings, kinds: Mapping[str, Kind]
) -> tuple[Backplane, Log | None]:
    """Return what connects the nodes, and the log that they share there.

    None: this node is the only one, and keeps it in its own memory.
    """
    if settings.redis_url is None:
        return LocalBackplane(), None
    try:
        # Asked for here, because who needs one node only need not install it.
        from .backplanes.redis.backplane import (  # noqa: PLC0415
            Bounds as Kept,
        )
        from .backplanes.redis.backplane import RedisBackplane  # noqa: PLC0415
    except ModuleNotFoundError as error:
        fault = (
            "Redis needs the package redis: pip install 'hubbub[redis]' installs it."
        )
        raise SettingsError([fault]) from error

    def bounds(channel: str) -> Kept:
        policy = kinds[split_channel(channel)[0]].policy
        return Kept(policy.history_size, policy.history_age_s)

    backplane = RedisBackplane(
        settings.redis_url.get_secret_value(),
        random_id("n_"),
        prefix=settings.redis_prefix,
        bounds=bounds,
    )
    return backplane, backplane.log


def _limits(settings: Settings) -> Limits:
    return Limits(
        outbox_bytes=settings.outbox_bytes,
        subscriptions=settings.subscriptions_per_session,
        idle_s=settings.idle_channel_s,
        close_timeout_s=settings.close_timeout_s,
    )


def _life(
    settings: Settings, clock: Clock, kinds: Mapping[str, Kind], shared: Log | None
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what lives between start and stop, as aiohttp's cleanup context."""

    async def run(app: web.Application) -> AsyncIterator[None]:
        hub, ticker = app[keys.HUB], app[keys.TICKER]
        async with _opened(settings, clock, kinds) as store:
            app[keys.SECRET] = store.secret
            app[keys.CHAT_ROWS] = store.chat
            app[keys.NOTE_ROWS] = store.notes
            logs = {**store.logs, **({Keep.SHARED: shared} if shared else {})}
            await hub.start(logs)
            try:
                await welcome.furnish(hub)
                hub.tasks.spawn(ticker.run(hub), "market")
                stats = live.publish_stats(hub, clock, store.chat, store.notes)
                hub.tasks.spawn(stats, "stats")
                yield
            finally:
                await hub.stop()

    return run


async def _send_away(app: web.Application) -> None:
    await app[keys.HUB].send_away()


@asynccontextmanager
async def _opened(
    settings: Settings, clock: Clock, kinds: Mapping[str, Kind]
) -> AsyncIterator[_Store]:
    def bounds(channel: str) -> Bounds:
        policy = kinds[split_channel(channel)[0]].policy
        if policy.keep is Keep.DURABLE:
            return UNKEPT
        return Bounds(policy.history_size, policy.history_age_s)

    memory = MemoryStore(clock, random_epoch, bounds)
    logs: dict[Keep, Log] = dict.fromkeys(Keep, memory.log)
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        alone = settings.redis_url is None
        async with SqlStore.open_shared(url, clock, alone=alone) as sql:
            logs[Keep.DURABLE] = Recall(sql.log, clock)
            yield _Store(logs, sql.chat, sql.notes, bytes.fromhex(sql.secret))
        return
    if settings.data_dir is None:
        yield _Store(logs, memory.chat, memory.notes, secrets.token_bytes(32))
        return
    directory = await asyncio.to_thread(DataDirectory.open, settings.data_dir)
    try:
        async with SqlStore.open(directory, clock) as sql:
            logs[Keep.DURABLE] = Recall(sql.log, clock)
            secret = bytes.fromhex(directory.secret)
            yield _Store(logs, sql.chat, sql.notes, secret)
    finally:
        directory.close()
