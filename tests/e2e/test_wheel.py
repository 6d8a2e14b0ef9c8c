"""The wheel, installed into an empty environment beside somebody else's application."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ANSWER_TIMEOUT_S = 10
LINKED = re.compile(r'(?:src|href)="([^"#?]+\.(?:css|js|svg))(?:\?[^"]*)?"')

# The host's module is named as our package is in the checkout.
HOST = '''
"""An application that was here before Hubbub came."""

import socket

import hubbub
from aiohttp import web

MINE = "the host's own server module"


async def home(request: web.Request) -> web.Response:
    return web.Response(text=MINE)


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/", home)
    hubbub.add_hubbub(app, prefix="/live")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    web.run_app(app, sock=listener, print=None)
'''

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (ROOT / "static" / "vendor" / "LICENSES.txt").exists(),
        reason="browser modules not built",
    ),
]


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        AssertionError: it failed; the text is its output.
    """
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=clean_environment(),
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environment() -> dict[str, str]:
    """This process's environment, less what could let the checkout shine through."""
    kept = {key: text for key, text in os.environ.items() if "PYTHONPATH" not in key}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("dist")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir")
    run(sys.executable, *build, out, ROOT)
    (made,) = out.glob("hubbub-*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds the locked packages and the wheel."""
    home = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home)
    pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python")
    lock = ROOT / "requirements" / "run.lock"
    run(*pip, "install", "-qq", "--no-compile", "--require-hashes", "-r", lock)
    run(*pip, "install", "-qq", "--no-deps", "--no-index", wheel)
    run(*pip, "check")
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an application that has a `server.py` of its own."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "server.py").write_text(HOST, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(python: Path, host: Path) -> Iterator[str]:
    """Where the host application listens, with Hubbub inside."""
    with subprocess.Popen(
        [str(python), "server.py"],
        cwd=host,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, "the host application did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def visitor() -> OpenerDirector:
    """A browser of the simplest kind: it follows redirects and keeps its cookies."""
    return build_opener(HTTPCookieProcessor(CookieJar()))


def fetch(visitor: OpenerDirector, url: str) -> tuple[str, str]:
    """The content type and the text found at a URL."""
    with visitor.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
        assert answer.status == 200
        return answer.headers.get_content_type(), answer.read().decode()


def test_the_wheel_carries_templates_static_files_and_licences(wheel: Path) -> None:
    """All that a page needs is inside the package; nothing of the workshop is."""
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/", 1)[0] for name in names}
    assert {folder for folder in folders if not folder.endswith("dist-info")} == {
        "hubbub"
    }
    for name in (
        "hubbub/__main__.py",
        "hubbub/templates/base.html",
        "hubbub/static/js/hubbub.js",
        "hubbub/static/css/tokens.css",
        "hubbub/static/vendor/charts.js",
        "hubbub/static/vendor/notes.js",
        "hubbub/static/vendor/LICENSES.txt",
    ):
        assert name in names
    assert not [
        name
        for name in names
        if "node_modules" in name
        or "vendor-src" in name
        or Path(name).name in {"package.json", "package-lock.json"}
    ]


def test_the_command_is_installed(python: Path) -> None:
    """`hubbub serve --help` explains itself."""
    assert "usage" in run(python.with_name("hubbub"), "serve", "--help").lower()


def test_the_host_keeps_its_own_server_module(python: Path, host: Path) -> None:
    """Beside a `server.py`, `import server` still means the host's."""
    ask = "import server, hubbub; print(server.MINE); print(hubbub.__file__)"
    mine, ours = run(python, "-c", ask, cwd=host).splitlines()
    assert mine == "the host's own server module"
    assert Path(ours).parent.name == "hubbub"
    assert not Path(ours).is_relative_to(ROOT)


@pytest.mark.parametrize(
    "path",
    ["/live/", "/live/chat/lobby", "/live/ticker", "/live/notes/welcome"],
)
def test_the_pages_open_under_the_prefix(
    address: str, visitor: OpenerDirector, path: str
) -> None:
    """Each page comes, and so does every style and script that it links."""
    kind, page = fetch(visitor, address + path)
    assert kind == "text/html"
    linked = {urljoin(address + path, link) for link in LINKED.findall(page)}
    assert {link.rsplit(".", 1)[1] for link in linked} >= {"css", "js"}
    for link in linked:
        assert link.startswith(f"{address}/live/")
        assert fetch(visitor, link)[1]


@pytest.mark.parametrize("module", ["charts", "notes"])
def test_the_browser_modules_come_from_the_package(
    address: str, visitor: OpenerDirector, module: str
) -> None:
    """What was bundled at build time is served from the installed package."""
    kind, text = fetch(visitor, f"{address}/live/static/vendor/{module}.js")
    assert kind in {"text/javascript", "application/javascript"}
    assert "export{" in text


def test_the_host_answers_for_itself(address: str, visitor: OpenerDirector) -> None:
    """Outside the prefix nothing has changed."""
    assert fetch(visitor, f"{address}/")[1] == "the host's own server module"
