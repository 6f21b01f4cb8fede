"""What the stages' command-line programs share: arguments, settings, logging, errors."""

from __future__ import annotations

import argparse
import difflib
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pipeline_lib.settings.base import Settings, UserError
from pipeline_lib.settings_keys import settings_keys

USER_ERROR_EXIT = 2
Stage = TypeVar("Stage", bound=Settings)


def run_stage(
    description: str,
    settings: type[Stage],
    paths: Mapping[str, str],
    work: Callable[[Stage, argparse.Namespace], None],
    numbers: Mapping[str, str] | None = None,
) -> None:
    """Parse the command line of one stage and do its work.

    Parameters
    ----------
    description : str
        What the program does, for ``--help``.
    settings : type
        Model that ``--settings`` (a JSON object) is validated by.
    paths : mapping
        Help text of each path argument by name; a name ending in ``...`` takes several paths, and
        ``@FILE`` in their place reads them from a file, one a line.
    work : callable
        Called with the settings and the parsed paths (`Path`, or a list of them) and numbers.
    numbers : mapping, optional
        Help text of each whole number above 0 by name, none if it is not given. They suit the
        machine and change no result: rules hand them over as resources, whose change makes nothing
        anew, and not in the settings.

    Notes
    -----
    A `UserError` ends the program with exit code 2 and its message, without a traceback.
    """
    parser = _parser(description, paths, numbers or {})
    arguments = parser.parse_args()
    _log_to(arguments.log)
    begun = time.monotonic()
    try:
        stage = settings.model_validate_json(arguments.settings)
        work(stage, arguments)
        logging.info("%s: done in %.1f s", parser.prog, time.monotonic() - begun)
    except ValidationError as error:
        _fail(validation_to_message(error, "--settings"))
    except UserError as error:
        _fail(str(error))
    except Exception:
        logging.exception("the stage failed")
        raise SystemExit(1) from None


def _parser(
    description: str, paths: Mapping[str, str], numbers: Mapping[str, str]
) -> argparse.ArgumentParser:
    """Build the parser: settings, log, the named paths and numbers."""
    parser = argparse.ArgumentParser(description=description, fromfile_prefix_chars="@")
    parser.add_argument("--settings", required=True, help="the stage's settings, a JSON object")
    parser.add_argument("--log", type=Path, help="file that the messages are written to as well")
    for name, text in paths.items():
        option = "--" + name.removesuffix("...").replace("_", "-")
        several = {"nargs": "*", "default": []} if name.endswith("...") else {"required": True}
        parser.add_argument(option, type=Path, help=text, **several)
    for name, text in numbers.items():
        parser.add_argument("--" + name.replace("_", "-"), type=_above_zero, help=text)
    return parser


def _above_zero(text: str) -> int:
    """Return a whole number above 0, or refuse the text."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, found {text!r}")
    return int(text)


def _log_to(path: Path | None) -> None:
    """Send messages to the terminal and, if asked for, to a file."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="a", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers, force=True
    )


def _fail(message: str) -> None:
    """End the program with a message for the user."""
    logging.error("error: %s", message)
    sys.exit(USER_ERROR_EXIT)


def validation_to_message(error: ValidationError, where: str) -> str:
    """Return pydantic's findings as lines: where, key, what was found, what is wrong."""
    lines = []
    for finding in error.errors():
        key = ".".join(str(part) for part in finding["loc"]) or "(whole)"
        found = "" if finding["type"] == "missing" else f", found {_short(finding['input'])}"
        reason = finding["msg"].removeprefix("Value error, ")
        if finding["type"] == "extra_forbidden":
            reason = _unknown_key(error.title, finding["loc"])
        lines.append(f"{where}: {key}: {reason}{found}")
    return "\n".join(lines)


def _unknown_key(title: str, place: tuple[str | int, ...]) -> str:
    """Say that a key is unknown, and which known one it may mean."""
    near = difflib.get_close_matches(str(place[-1]), settings_keys(title, place[:-1]), n=1)
    return "unknown key" + (f"; did you mean `{near[0]}`?" if near else "")


def _short(value: object) -> str:
    """Return a value's text, cut to one readable line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
