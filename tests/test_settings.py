"""Settings: one value, all faults at once, and everything in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from server import flags
from server.addresses import normal_origin
from server.errors import SettingsError
from server.settings import Settings

DATABASE_URL = "postgresql+asyncpg://ann:open%2Fsesame@db.example:5433/hubbub"
REDIS_URL = "redis://ann:open%2Fsesame@redis.example:6380/2"
DOCS = Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md"
WILDCARDS = ("0.0.0.0", "::", "[::]", "0:0::0")  # noqa: S104 - refused


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own environment."""
    for name in flags.FIELDS:
        monkeypatch.delenv(flags.variable(name), raising=False)


def faults(*argv: str) -> tuple[str, ...]:
    """What is wrong with these flags."""
    with pytest.raises(SettingsError) as error:
        flags.load(argv)
    return error.value.faults


def test_without_anything_all_is_in_memory_and_local() -> None:
    """What an application that embeds Hubbub gets."""
    settings = Settings()
    assert settings.data_dir is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.host_names == {"localhost", "127.0.0.1", "::1"}
    assert settings.allow_origin == ()


def test_settings_do_not_change() -> None:
    """Whoever holds them may rely on them."""
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_the_command_keeps_what_is_said() -> None:
    """But with `--memory`, whatever the data directory."""
    assert flags.load([]).data_dir == Path("hubbub-data")
    assert flags.load(["--data-dir", "x"]).data_dir == Path("x")
    assert flags.load(["--memory", "--data-dir", "x"]).data_dir is None


def test_every_setting_is_a_flag_and_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both give the same, and the flag goes first."""
    given = {
        "host": "localhost",
        "port": "0",
        "database_url": DATABASE_URL,
        "redis_url": REDIS_URL,
        "redis_prefix": "mine",
        "workers": "2",
        "allow_host": "a.example,b.example",
        "allow_origin": "null,https://a.example",
        "open_kinds": "news,games",
        "market_seed": "7",
        "market_hz": "2.5",
        "log_level": "debug",
        "max_frame_bytes": "2048",
        "note_update_bytes": "4096",
        "note_state_bytes": "8192",
        "outbox_bytes": "16384",
        "send_buffer_bytes": "32768",
        "subscriptions_per_session": "3",
        "ping_interval_s": "1.5",
        "ping_timeout_s": "2",
        "close_timeout_s": "0.5",
        "tcp_user_timeout_s": "9",
        "keepalive_timeout_s": "8",
        "idle_channel_s": "7",
        "compress": "true",
        "max_sessions": "11",
        "frames_per_s": "12",
        "handshake_timeout_s": "4",
    }
    assert {*given, "data_dir"} == set(Settings.model_fields), "or a directory"
    by_flag = flags.load(
        [
            flags.flag(name) if text == "true" else f"{flags.flag(name)}={text}"
            for name, text in given.items()
        ]
    )
    for name, text in given.items():
        monkeypatch.setenv(flags.variable(name), text)
    by_variable = flags.load([])
    assert by_flag == by_variable
    default = Settings()
    for name in given:
        assert getattr(by_flag, name) != getattr(default, name), name
    assert by_flag.allow_origin == ("null", "https://a.example")
    assert flags.load(["--port", "9"]).port == 9
    assert flags.load(["--allow-origin", "null"]).allow_origin == ("null",)
    assert flags.load(["--open-kinds", "a", "--open-kinds", "b"]).open_kinds == (
        "a",
        "b",
    )


def test_a_database_takes_the_place_of_the_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the command's own default, too; `--memory` of both."""
    monkeypatch.setenv("HUBBUB_DATABASE_URL", DATABASE_URL)
    settings = flags.load([])
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == DATABASE_URL
    assert settings.data_dir is None
    memory = flags.load(["--memory"])
    assert (memory.data_dir, memory.database_url) == (None, None)


def test_a_database_and_a_directory_are_one_too_many() -> None:
    """It is said that one must be chosen, also to who embeds Hubbub."""
    (fault,) = faults("--data-dir", "x", "--database-url", DATABASE_URL)
    assert fault.startswith("--data-dir (HUBBUB_DATA_DIR) and --database-url")
    assert "choose one" in fault
    with pytest.raises(ValidationError, match="choose one"):
        Settings(data_dir=Path("x"), database_url=SecretStr(DATABASE_URL))


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:sesame@db/hubbub",
        "postgresql://ann:sesame@db/hubbub",
        "postgresql+asyncpg://ann:open/sesame@db/hubbub",
        "postgresql+asyncpg://ann:sesame@db",
        "postgresql+asyncpg://ann:sesame@/hubbub",
        "sesame",
    ],
)
def test_a_database_is_told_in_one_form(url: str) -> None:
    """What is no URL of one is refused, and not repeated: a password may be in it."""
    (fault,) = faults("--database-url", url)
    assert "must look like postgresql+asyncpg://user:password@host/name" in fault
    with pytest.raises(ValidationError) as error:
        Settings(database_url=SecretStr(url))
    assert "sesame" not in fault + str(error.value)


def test_a_password_is_not_shown() -> None:
    """Neither by the settings nor by a fault beside it."""
    settings = Settings(database_url=SecretStr(DATABASE_URL))
    assert "sesame" not in f"{settings} {settings!r} {settings.model_dump()}"
    found = faults("--database-url", DATABASE_URL, "--port", "high")
    assert "sesame" not in " ".join(found)


NODES = ("--redis-url", REDIS_URL, "--database-url", DATABASE_URL)


def test_nodes_are_told_by_two_urls() -> None:
    """A Redis, and a database that all share; then there may be several workers."""
    settings = flags.load([*NODES, "--workers", "4"])
    assert settings.redis_url == SecretStr(REDIS_URL)
    assert (settings.workers, settings.data_dir) == (4, None)
    alone = flags.load([*NODES, "--workers", "4", "--memory"])
    assert (alone.redis_url, alone.workers) == (None, 1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--redis-url", REDIS_URL), "would not have the same ones"),
        (("--redis-url", REDIS_URL, "--data-dir", "x"), "needs --database-url"),
        (("--workers", "2"), "would not hear each other"),
        (("--workers", "2", "--database-url", DATABASE_URL), "needs --redis-url"),
    ],
)
def test_nodes_that_could_not_keep_the_promises_are_refused(
    given: tuple[str, ...], why: str
) -> None:
    """With a sentence that says why."""
    (fault,) = faults(*given)
    assert why in fault
    assert "sesame" not in fault


@pytest.mark.parametrize(
    "url", ["http://redis.example", "redis:///2", "redis.example:6379", "redis://a:b:c"]
)
def test_a_redis_is_told_in_one_form(url: str) -> None:
    """Anything else is a fault that does not repeat what may be a password."""
    found = faults("--redis-url", url, "--database-url", DATABASE_URL)
    assert len(found) == 1
    assert "redis://user:password@host:port/0" in found[0]
    assert url not in found[0]


def test_a_database_may_be_behind_a_socket_of_the_machine() -> None:
    """Then its folder is told in place of the host."""
    url = "postgresql+asyncpg://ann@/hubbub?host=/var/run/postgresql"
    assert flags.load(["--database-url", url]).database_url == SecretStr(url)


def test_all_faults_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a sentence that names the flag and the variable."""
    monkeypatch.setenv("HUBBUB_PROT", "1")
    monkeypatch.setenv("HUBBUB_MARKET_HZ", "fast")
    monkeypatch.setenv("HUBBUB_ALLOW_ORIGIN", "")
    found = faults(
        "--port=high",
        "--outbox=3",
        "stray",
        "--max-frame-bytes",
        "12",
        "--log-level=loud",
        "--close-timeout-s=9",
        "--ping-interval-s=0",
        "--idle-channel-s=inf",
        "--market-seed",
    )
    assert set(found) == {
        "There is no variable HUBBUB_PROT; is HUBBUB_PORT meant?",
        "There is no flag --outbox; is --outbox-bytes meant?",
        "The word 'stray' belongs to no flag.",
        "--port (HUBBUB_PORT) must be a whole number, not 'high'.",
        "--market-hz (HUBBUB_MARKET_HZ) must be a number, not 'fast'.",
        "--max-frame-bytes (HUBBUB_MAX_FRAME_BYTES) must be at least 1024, not '12'.",
        (
            "--log-level (HUBBUB_LOG_LEVEL) must be one of 'debug', 'info', 'warning'"
            " or 'error', not 'loud'."
        ),
        "--close-timeout-s (HUBBUB_CLOSE_TIMEOUT_S) must be at most 3, not '9'.",
        "--ping-interval-s (HUBBUB_PING_INTERVAL_S) must be more than 0, not '0'.",
        "--idle-channel-s (HUBBUB_IDLE_CHANNEL_S) must be a number, not 'inf'.",
        "--allow-origin (HUBBUB_ALLOW_ORIGIN) needs a value.",
        "--market-seed (HUBBUB_MARKET_SEED) needs a value.",
    }


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--port=70000",), "must be at most 65535"),
        (("--port=1.5",), "must be a whole number"),
        (("--host=a:b",), "must be an address or a host name"),
        (("--host", "bad host"), "must be an address or a host name"),
        (("--allow-host=a.example:8080",), "host names without port, not 'a.example:"),
        (("--allow-host=https://a.example",), "host names without port"),
        (("--allow-host=,",), "host names without port"),
        (("--open-kinds=chat",), "not taken by Hubbub, not 'chat'"),
        (("--open-kinds=Big",), "beginning with a letter"),
        (("--memory=3",), "The flags cannot be read: argument --memory"),
        (("--allow-origin=*",), "must hold exact origins"),
        (("--market-hz=nan",), "--market-hz (HUBBUB_MARKET_HZ) must be "),
        (("--ping", "3"), "There is no flag --ping"),
    ],
)
def test_each_fault_has_its_words(argv: tuple[str, ...], words: str) -> None:
    """And stands alone: a value after an unknown flag is no second fault."""
    (fault,) = faults(*argv)
    assert words in fault


def test_a_wrong_memory_variable_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is yes or no."""
    monkeypatch.setenv("HUBBUB_MEMORY", "perhaps")
    (fault,) = faults()
    assert "(HUBBUB_MEMORY) must be true or false" in fault


@pytest.mark.parametrize("host", WILDCARDS)
def test_listening_everywhere_needs_the_names(host: str) -> None:
    """Without them a rebound name could not be told from an own one."""
    (fault,) = faults("--host", host)
    assert fault.startswith("--allow-host (HUBBUB_ALLOW_HOST) must be given when")
    settings = flags.load(["--host", host, "--allow-host", "a.example"])
    assert settings.host_names == {"localhost", "127.0.0.1", "::1", "a.example"}


def test_the_address_it_listens_on_is_one_of_its_names() -> None:
    """Whatever the case and the brackets."""
    settings = Settings(host="[FE80::1]", allow_host=("Chat.Example",))
    assert settings.host_names >= {"fe80::1", "chat.example"}


@pytest.mark.parametrize(
    ("origin", "normal"),
    [
        ("null", "null"),
        ("https://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_has_one_form(origin: str, normal: str) -> None:
    """The one that browsers write."""
    assert normal_origin(origin) == normal


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "example.org",
        "https://",
        "https://example.org/",
        "https://example.org/a",
        "https://example.org?",
        "https://example.org#",
        "https://a@example.org",
        "https://example.org:99999",
        "https://example.org:x",
        "https://[::1",
        "ftp://example.org",
        "https://a b",
        "https://*.example.org",
        "https://example.org\n",
        "Null",
    ],
)
def test_what_is_no_exact_origin_is_refused(origin: str) -> None:
    """No patterns, paths or users."""
    with pytest.raises(ValueError, match="exact origins"):
        normal_origin(origin)


def test_help_tells_every_setting() -> None:
    """Flag, unit, default, variable and meaning of each."""
    text = " ".join(flags.help_text().split())
    for name in flags.FIELDS:
        value = f" {flags.unit(name)}".rstrip()
        assert f"{flags.flag(name)}{value} " in text, name
        told = f"{flags.description(name)} [{flags.default_text(name)}; "
        assert told + flags.variable(name) + "]" in text, name


def test_every_setting_is_documented() -> None:
    """With the flag, variable, unit, default and meaning that it has; no other is."""
    rows = [
        tuple(cell.strip(" `") for cell in line.strip("|").split("|"))
        for line in DOCS.read_text("utf-8").splitlines()
        if re.match(r"\| `--", line)
    ]
    assert rows == [
        (
            flags.flag(name),
            flags.variable(name),
            flags.unit(name).lower(),
            flags.default_text(name),
            flags.description(name),
        )
        for name in flags.FIELDS
    ]
