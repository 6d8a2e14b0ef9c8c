from __future__ import annotations

import inspect
import re

import pytest

import server
from server.errors import DISCONNECTS, REPLY_ERRORS, Disconnect, ReplyError
from server.flags import FIELDS, flag, variable
from server.hub.hub import Hub
from server.seams.kind import Kind, Policy
from tests.docs.pages import ROOT, anchors

REFERENCE = ROOT / "docs" / "reference"
HUB_METHODS = (
    *("publish", "submit", "subscribe", "signal", "history", "presence"),
    "disconnect",
)


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """Return the cells of a page's table rows after a heading, by their first cell."""
    text = (REFERENCE / page).read_text(encoding="utf-8").partition(f"## {heading}")[2]
    text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row for row in cells}


@pytest.mark.parametrize("page", ["codes.md", "native-wire.md"])
@pytest.mark.parametrize("error", REPLY_ERRORS, ids=lambda error: error.message)
def test_every_error_stands_there(error: ReplyError, page: str) -> None:
    """Each reply error stands in the reference, with its words and its promise."""
    row = rows(page, "Errors")[str(error.code)]

    assert row[1] == error.message
    assert row[2] == ("yes" if error.temporary else "")


@pytest.mark.parametrize("page", ["codes.md", "native-wire.md"])
@pytest.mark.parametrize("disconnect", DISCONNECTS, ids=lambda each: each.reason)
def test_every_close_stands_there(disconnect: Disconnect, page: str) -> None:
    """Each close code stands in the reference, and whether to come back."""
    heading = "Closes" if page == "codes.md" else "Close codes"
    row = rows(page, heading)[str(disconnect.code)]

    assert row[1] == disconnect.reason
    returns = row[2].startswith(("yes", "come back"))
    assert returns == disconnect.returns


def test_no_code_of_yore() -> None:
    """The tables name no code that the server does not have."""
    said = {code for code in rows("codes.md", "Errors") if code.isdigit()}
    closes = {code for code in rows("codes.md", "Closes") if code.isdigit()}

    assert said == {str(error.code) for error in REPLY_ERRORS}
    assert closes == {str(each.code) for each in DISCONNECTS}


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_stands_there(field: str) -> None:
    """Each setting's flag and variable stand in the reference."""
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")

    assert f"`{flag(field)}`" in text
    assert f"`{variable(field)}`" in text


@pytest.mark.parametrize("name", server.__all__)
def test_every_public_name_stands_there(name: str) -> None:
    """Each name that the package exports has its heading."""
    assert name.lower() in anchors(REFERENCE / "python.md")


@pytest.mark.parametrize("name", [*HUB_METHODS, "build_app", "add_hubbub"])
def test_every_parameter_stands_there(name: str) -> None:
    """Each parameter of what one calls stands under its heading."""
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    section = re.split(r"^##+ ", text, flags=re.MULTILINE)
    own = next(part for part in section if part.split(maxsplit=1)[0] == name)
    called = getattr(Hub, name, None) or getattr(server, name)

    for parameter in inspect.signature(called).parameters:
        assert parameter == "self" or re.search(rf"\b{parameter}\b", own), parameter


def test_own_kind_tells_every_method() -> None:
    """The how-to names each method of the protocol, and no field that is none."""
    page = ROOT / "docs" / "howto" / "own-kind.md"
    text = page.read_text(encoding="utf-8")

    for name in ("policy", *inspect.get_annotations(Kind), *vars(Kind)):
        if not name.startswith("_"):
            assert f"| `{name}` |" in text, name
    fields = text.partition("`Policy` says the rest")[2]
    for name in re.findall(r"`([a-z_]+)`[,|]? ", fields.partition("\nA kind that")[0]):
        assert hasattr(Policy, "__slots__")
        assert name in inspect.signature(Policy).parameters, name
