"""The rules of the house that no linter holds."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from server.errors import DISCONNECTS, REPLY_ERRORS
from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SERVER, TESTS, DOCS = ROOT / "server", ROOT / "tests", ROOT / "docs"
MODULES = sorted(SERVER.rglob("*.py"))
NAMES = [str(path.relative_to(SERVER)) for path in MODULES]

MODULE_LINES = 300
FUNCTION_LINES = 60
HUB_CODE_LINES = 1_500
APP_CODE_LINES = 150
BROWSER_CODE_LINES = 5_570

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a module as it was parsed."""
    return ast.parse(path.read_text("utf-8"))


def code_lines(path: Path) -> int:
    """Count the lines that do something.

    Not counted are docstrings, comments, blank lines, and imports: those say what a
    module stands on, and import-linter holds them.
    """
    idle: set[int] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.stmt) and (_is_docstring(node) or _is_import(node)):
            idle |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    return sum(
        number not in idle and line.strip() != "" and not line.lstrip().startswith("#")
        for number, line in lines
    )


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_import(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Import | ast.ImportFrom)


LONGER = {"model.py": "a table of values without behaviour, read as a whole"}


@pytest.mark.parametrize("name", [each for each in NAMES if each not in LONGER])
def test_a_module_is_one_concept_of_a_few_lines(name: str) -> None:
    """300 at most; what is longer is two."""
    lines = (SERVER / name).read_text("utf-8").splitlines()
    assert len(lines) <= MODULE_LINES


@pytest.mark.parametrize("name", NAMES)
def test_a_function_fits_on_a_screen(name: str) -> None:
    """60 lines at most, with its docstring."""
    for node in ast.walk(tree_of(SERVER / name)):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, node.name


def test_the_hub_stays_small() -> None:
    """1,500 lines of code, so that it can be read in an afternoon."""
    assert sum(map(code_lines, (SERVER / "hub").glob("*.py"))) <= HUB_CODE_LINES


def test_the_assembly_stays_small() -> None:
    """150 lines of code: it names the parts, it is none."""
    assert code_lines(SERVER / "app.py") <= APP_CODE_LINES


def test_the_browser_code_stays_small() -> None:
    """5,570 lines without comments and blank lines, of what we wrote ourselves."""
    assert sum(map(_js_code_lines, (ROOT / "static" / "js").rglob("*.js"))) <= (
        BROWSER_CODE_LINES
    )


def _js_code_lines(path: Path) -> int:
    text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return sum(line != "" and not line.startswith("//") for line in lines)


NOTES, TICKER, SQL = "tests/kinds/notes", "tests/kinds/ticker", "tests/stores/sql"
SOCKETIO = "tests/gateways/socketio"
TESTED_ELSEWHERE = {
    "backplanes/local.py": "tests/contracts/test_backplane.py",
    "flags.py": "tests/test_settings.py and tests/docs/test_reference.py",
    "gateways/commands.py": "tests/gateways/native/test_codec.py",
    "gateways/raw.py": "tests/gateways/test_base.py",
    "gateways/socketio/poll.py": "tests/gateways/socketio/test_polling.py",
    "gateways/socketio/posts.py": "tests/gateways/socketio/test_polling.py",
    "gateways/words.py": "tests/gateways/native/test_codec.py",
    "gateways/native/handler.py": "tests/gateways/native/test_wire.py",
    "gateways/sse/answers.py": "tests/gateways/sse/test_posting.py",
    "gateways/socketio/bodies.py": f"{SOCKETIO}/test_polling.py",
    "gateways/socketio/heartbeat.py": f"{SOCKETIO}/test_connection.py",
    "gateways/socketio/entrance.py": f"{SOCKETIO}/test_recovery.py, test_receiver",
    "gateways/socketio/handlers.py": f"{SOCKETIO}/test_namespace.py",
    "gateways/socketio/mapping.py": f"{SOCKETIO}/test_receiver.py",
    "gateways/socketio/routes.py": f"{SOCKETIO}/test_recovery.py",
    "gateways/socketio/socket.py": f"{SOCKETIO}/test_namespace.py",
    "gateways/yjs/speech.py": "tests/gateways/yjs/test_handler.py",
    "hub/limits.py": "values only; each bound is tested where it is kept",
    "keys.py": "names and their types only; mypy holds them",
    "kinds/notes/awareness.py": f"{NOTES}/test_kind.py",
    "kinds/notes/content.py": f"{NOTES}/test_update.py",
    "kinds/notes/guarded.py": f"{NOTES}/test_document.py",
    "kinds/notes/opened.py": f"{NOTES}/test_kind.py",
    "kinds/notes/ranges.py": f"{NOTES}/test_known.py",
    "kinds/notes/rows.py": "tests/contracts/test_rows.py",
    "kinds/ticker/bars.py": f"{TICKER}/test_candles.py",
    "kinds/ticker/shown.py": f"{TICKER}/test_kind.py",
    "kinds/ticker/stock.py": f"{TICKER}/test_market.py",
    "kinds/ticker/ticks.py": f"{TICKER}/test_candles.py",
    "addresses.py": "tests/test_settings.py",
    "content.py": "tests/contracts/test_log.py",
    "hub/asking.py": "tests/hub/test_hub.py and tests/hub/test_explain.py",
    "hub/committers.py": "tests/queues/test_commit.py, tests/hub/test_hub.py",
    "hub/listening.py": "tests/queues/test_listening.py",
    "hub/neighbours.py": "tests/hub/test_nodes.py",
    "hub/pump.py": "tests/hub/test_channel.py",
    "hub/pumps.py": "tests/hub/test_channel.py",
    "hub/span.py": "tests/hub/test_hub.py",
    "hub/watch.py": "tests/hub/test_nodes.py",
    "nodes/healing.py": "tests/hub/test_channel.py",
    "queues/inbox.py": "tests/hub/test_channel.py and tests/hub/test_nodes.py",
    "queues/writer.py": "tests/hub/test_session.py",
    "seams/backplane.py": "Protocols and values: tests/contracts/test_backplane.py",
    "seams/log.py": "Protocols and values: tests/contracts/test_log.py",
    "seams/wire.py": "Protocols: tests/hub/wires.py and the gateways implement them",
    "stores/memory_rows.py": "tests/contracts/test_rows.py",
    "stores/migrations/versions/v0004_shared.py": "tests/stores/test_migrations.py",
    "stores/sql/database.py": f"{SQL}/test_postgres.py",
    "stores/sql/server.py": f"{SQL}/test_postgres.py",
    "workers.py": "tests/e2e/test_workers.py",
    "stores/migrations/versions/v0001_log.py": "tests/stores/test_migrations.py",
    "stores/migrations/versions/v0002_chat.py": "tests/stores/test_migrations.py",
    "stores/migrations/versions/v0003_notes.py": "tests/stores/test_migrations.py",
    "stores/sql/appending.py": "tests/contracts/test_log.py",
    "stores/sql/channels.py": f"{SQL}/test_store.py",
    "stores/sql/chat.py": "tests/contracts/test_rows.py",
    "stores/sql/engine.py": f"{SQL}/test_store.py",
    "stores/sql/log.py": "tests/contracts/test_log.py",
    "stores/sql/notes.py": "tests/contracts/test_rows.py",
    "stores/sql/tables.py": f"{SQL}/test_store.py",
    "web/body.py": "tests/web/test_lab.py",
    "web/faults.py": "tests/web/test_pages.py",
    "web/lag.py": "tests/web/test_health.py",
    "web/metrics.py": "tests/web/test_health.py",
    "web/render.py": "tests/web/test_pages.py",
    "web/routes.py": "tests/web/test_pages.py",
    "web/welcome.py": "tests/test_app.py",
}
"""Modules without a test file of their own: what tests them, or why nothing has to."""


def _mirror(name: str) -> list[Path]:
    """Where a module's tests may stand: its own file, or its folder's."""
    path = Path(name)
    stem = path.stem.strip("_")
    own = TESTS / path.parent / f"test_{stem}.py"
    return [own, TESTS / path.parent.parent / f"test_{path.parent.name}.py"]


@pytest.mark.parametrize("name", [each for each in NAMES if "__init__" not in each])
def test_every_module_has_its_tests(name: str) -> None:
    """In the file that mirrors it, or elsewhere for a reason."""
    if name in TESTED_ELSEWHERE:
        assert not _mirror(name)[0].exists(), "it has a test file by now"
        return
    assert any(path.exists() for path in _mirror(name))


def _documented() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md")))


def test_every_setting_is_documented() -> None:
    """By its name as a variable of the environment, and as a flag."""
    text = _documented()
    for name in Settings.model_fields:
        assert f"HUBBUB_{name.upper()}" in text
        assert "--" + name.replace("_", "-") in text


@pytest.mark.parametrize("table", ["reference/native-wire.md", "reference/codes.md"])
def test_every_code_is_documented(table: str) -> None:
    """With its message or reason, in one row."""
    text = (DOCS / table).read_text("utf-8")
    said = [(each.code, each.message) for each in REPLY_ERRORS]
    said += [(each.code, each.reason) for each in DISCONNECTS]
    for code, words in said:
        assert re.search(
            rf"^\| `?{code}`? \| `?{re.escape(words)}`? \|", text, re.MULTILINE
        )


TASK_MAKERS = {"create_task", "ensure_future", "gather", "run_coroutine_threadsafe"}


@pytest.mark.parametrize("name", NAMES)
def test_no_task_is_born_bare(name: str) -> None:
    """But of a group, which sees it fail; the one that keeps the group is the first."""
    if name == "runtime/tasks.py":
        return
    for node in ast.walk(tree_of(SERVER / name)):
        if not isinstance(node, ast.Call):
            continue
        made = node.func
        called = made.attr if isinstance(made, ast.Attribute) else ""
        called = made.id if isinstance(made, ast.Name) else called
        owner = made.value if isinstance(made, ast.Attribute) else None
        of_a_group = isinstance(owner, ast.Name) and owner.id in ("group", "tasks")
        assert called not in TASK_MAKERS or of_a_group, f"line {node.lineno}"


CATCHES_CANCELLATION = {"CancelledError", "BaseException"}


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    parts = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in parts
        if isinstance(part, ast.Attribute | ast.Name)
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_cancellation_is_swallowed(name: str) -> None:
    """What catches it raises it again; nothing suppresses it."""
    for node in ast.walk(tree_of(SERVER / name)):
        if isinstance(node, ast.ExceptHandler) and _caught(node) & CATCHES_CANCELLATION:
            raised = [each for each in ast.walk(node) if isinstance(each, ast.Raise)]
            assert raised, f"line {node.lineno}"
        if isinstance(node, ast.Call) and "suppress" in ast.unparse(node.func):
            words = ast.unparse(node)
            assert not any(each in words for each in CATCHES_CANCELLATION), words


@pytest.mark.parametrize("name", NAMES)
def test_only_the_assembly_names_stores_and_backplanes(name: str) -> None:
    """Everybody else knows the ports."""
    if name == "app.py" or name.startswith(("stores/", "backplanes/")):
        return
    for node in ast.walk(tree_of(SERVER / name)):
        if isinstance(node, ast.ImportFrom):
            parts = {
                *(node.module or "").split("."),
                *(each.name for each in node.names),
            }
            assert not parts & {"stores", "backplanes"}, f"line {node.lineno}"


def test_what_is_said_to_be_tested_elsewhere_is_a_module() -> None:
    """A reason for a module that is gone is gone with it; its tests are there."""
    assert set(TESTED_ELSEWHERE) <= set(NAMES)
    named = re.findall(r"tests/\S+\.py", " ".join(TESTED_ELSEWHERE.values()))
    assert [each for each in named if not (ROOT / each).exists()] == []
