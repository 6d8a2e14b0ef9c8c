"""The command line: a flag and a variable for each setting, and all faults at once.

A setting is a flag (`--max-frame-bytes`) and an environment variable
(`HUBBUB_MAX_FRAME_BYTES`); the flag goes first. Lists are repeated flags, or words
between commas. What is unknown is a fault: a setting misspelt is a setting not made.
"""

from __future__ import annotations

import argparse
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as Unparsable

from .errors import SettingsError
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_core import ErrorDetails

PREFIX: Final = "HUBBUB_"
_UNITS = {
    "_bytes": "BYTES",
    "_per_s": "COUNT",
    "_s": "SECONDS",
    "_hz": "HZ",
    "_dir": "DIRECTORY",
    "_kinds": "NAME",
    "_per_session": "COUNT",
    "workers": "COUNT",
}


class _Given(BaseSettings, Settings):
    """The settings of the command `serve`, which keeps what is said."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_exit_on_error=False,
    )

    data_dir: Path | None = Field(
        default=Path("hubbub-data"),
        description=str(Settings.model_fields["data_dir"].description),
    )
    memory: bool = Field(
        default=False,
        description="Keep everything in memory, whatever the data directory or the"
        " database.",
    )


FIELDS: Final = tuple(sorted(_Given.model_fields))
"""The names of all settings of `serve`."""


def flag(name: str) -> str:
    """Return a setting's flag."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Return a setting's environment variable."""
    return PREFIX + name.upper()


def default_text(name: str) -> str:
    """Return a setting's default as one would write it; empty lists are "none"."""
    default = _Given.model_fields[name].default
    if isinstance(default, bool):
        return "off"
    if isinstance(default, float):
        return f"{default:g}"
    return "none" if default in ((), None) else str(default)


def description(name: str) -> str:
    """Return what a setting means."""
    return str(_Given.model_fields[name].description)


def unit(name: str) -> str:
    """Return the unit of a setting's value, or what kind of word it is.

    Empty for what is on or off.
    """
    if isinstance(_Given.model_fields[name].default, bool):
        return ""
    for suffix, word in _UNITS.items():
        if name.endswith(suffix):
            return word
    return name.rpartition("_")[2].upper()


def help_text() -> str:
    """Return the text of `serve --help`."""
    parser = _parser()
    _flags(parser)
    return parser.format_help()


def load(argv: Sequence[str]) -> Settings:
    """Return the settings that flags and environment give.

    Raises `SettingsError` with every fault, each in a sentence.
    """
    faults = _unknown_variables()
    source = _flags(_parser(), faults)
    try:
        given = CliApp.run(_Given, list(argv), cli_settings_source=source)
    except ValidationError as error:
        faults += [_sentence(detail) for detail in error.errors()]
    if faults:
        raise SettingsError(faults)
    values = given.model_dump(exclude={"memory"})
    if given.memory:
        values |= dict.fromkeys(("data_dir", "database_url", "redis_url"))
        values["workers"] = 1
    elif given.database_url is not None:
        values |= {"data_dir": None}
    return Settings(**values)


class _Parser(argparse.ArgumentParser):
    """Raises what it cannot read, instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise Unparsable(message)


def _parser() -> _Parser:
    return _Parser(
        prog="hubbub serve",
        usage="hubbub serve [--flag value ...]",
        description="Serve chat, a ticker, notes and a dashboard.",
        epilog="Beside each flag stand its default and its environment variable; the"
        " flag goes first. Lists are repeated flags, or words between commas.",
        allow_abbrev=False,
    )


def _flags(
    parser: _Parser, faults: list[str] | None = None
) -> CliSettingsSource[_Parser]:
    """Give the parser a flag for each setting; `faults` None: it only prints them."""

    def add(group: _Parser, *names: str, **options: Any) -> argparse.Action:  # noqa: ANN401 - argparse's own
        name = names[-1].removeprefix("--").replace("-", "_")
        if "metavar" in options:
            options["metavar"] = unit(name)
            if faults is not None:
                # A flag without its value is told with all others, not by argparse.
                options |= {"nargs": "?", "const": ""}
        told = f"{description(name)} [{default_text(name)}; {variable(name)}]"
        options["help"] = told.replace("%", "%%")
        return group.add_argument(*names, **options)

    def parse(root: _Parser, argv: list[str], *_: object) -> argparse.Namespace:
        try:
            found, strange = root.parse_known_args(argv)
        except Unparsable as error:
            found, strange = argparse.Namespace(), []
            _tell(faults, [f"The flags cannot be read: {error}."])
        _tell(faults, _unknown_flags(strange))
        return found

    return CliSettingsSource(
        _Given,
        # No word means None: `null` is an origin.
        cli_parse_none_str="\0",
        root_parser=parser,
        add_argument_method=add,
        parse_args_method=parse,
    )


def _tell(faults: list[str] | None, more: list[str]) -> None:
    if faults is not None:
        faults += more


def _unknown_flags(strange: Sequence[str]) -> list[str]:
    faults, may_be_value = [], False
    for word in strange:
        if word.startswith("-"):
            name = word.partition("=")[0]
            faults.append(f"There is no flag {name}{_meant(name, flag)}")
        elif not may_be_value:
            faults.append(f"The word {word!r} belongs to no flag.")
        may_be_value = word.startswith("-") and "=" not in word
    return faults


def _unknown_variables() -> list[str]:
    known = {variable(name) for name in FIELDS}
    return [
        f"There is no variable {name}{_meant(name, variable)}"
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]


def _meant(given: str, spell: Callable[[str], str]) -> str:
    name = given.removeprefix(PREFIX).strip("-").replace("-", "_").lower()
    close = difflib.get_close_matches(name, FIELDS, n=1)
    return f"; is {spell(close[0])} meant?" if close else "."


def _sentence(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if not fault["loc"]:  # of several settings: it names them
        return f"{context['error']}."
    name = str(fault["loc"][0])
    given = f", not {fault['input']!r}"
    match fault["type"]:
        case "value_error":
            words, given = str(context["error"]), ""
        case "int_parsing" | "int_from_float" | "int_type":
            words = "must be a whole number"
        case "float_parsing" | "float_type" | "finite_number":
            words = "must be a number"
        case "bool_parsing":
            words = "must be true or false"
        case "greater_than":
            words = f"must be more than {context['gt']:g}"
        case "greater_than_equal":
            words = f"must be at least {context['ge']}"
        case "less_than_equal":
            words = f"must be at most {context['le']:.10g}"
        case "literal_error":
            words = f"must be one of {context['expected']}"
        case _:
            words = f"cannot be used ({fault['msg']})"
    return f"{flag(name)} ({variable(name)}) {words}{given}."
