"""Commands of the package: ``python -m pipeline_lib COMMAND``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_lib.command_line import USER_ERROR_EXIT
from pipeline_lib.schemas import generated_files
from pipeline_lib.settings.base import UserError

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schemas = commands.add_parser("schemas", help="write what is generated from the settings")
    schemas.add_argument("--check", action="store_true", help="only say what is out of date")
    init = commands.add_parser("init", help="write a configuration for a folder of images")
    init.add_argument(
        "folder", type=Path, help="where the images lie, in folders of its own or not"
    )
    init.add_argument("--output", type=Path, help="where to write; default: config/NAME")
    init.add_argument("--name", help="of the project; default: what the folder is called")
    init.add_argument("--overwrite", action="store_true", help="replace files that are there")
    clean = commands.add_parser(
        "clean-work", help="list the trainings' states that are not needed, and delete them"
    )
    clean.add_argument("--configfile", type=Path, default=Path("config/config.yaml"))
    clean.add_argument("--yes", action="store_true", help="delete what is listed")
    arguments = parser.parse_args()
    if arguments.command == "clean-work":
        return clean_work(arguments.configfile, arguments.yes)
    if arguments.command == "schemas":
        return write_schemas(arguments.check)
    return write_beginning(arguments.folder, arguments.output, arguments.overwrite, arguments.name)


def clean_work(configfile: Path, delete: bool) -> int:
    """List, or delete, the states of trainings that no run of a configuration needs."""
    from pipeline_lib.cleaning import clean  # reads the sheets, which `schemas` does not

    try:
        for line in clean(configfile, Path("work"), ROOT, delete):
            print(line)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    return 0


def write_beginning(folder: Path, output: Path | None, overwrite: bool, name: str | None) -> int:
    """Write the configuration for a folder of images, and say what is left to decide."""
    from pipeline_lib.beginning.command import begin  # reads pictures, which `schemas` does not

    try:
        print("\n".join(begin(folder, output, overwrite, ROOT, name)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    return 0


def write_schemas(check: bool) -> int:
    """Write, or check, the JSON schemas, the tables of the settings and the conda files."""
    stale = {
        path: text
        for path, text in generated_files(ROOT).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print("`make schemas` writes them anew", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
