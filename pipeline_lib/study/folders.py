"""Where the files that a configuration names are looked for."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

from pipeline_lib.settings.base import UserError


def own_or_shipped(name: str, folders: tuple[Path, Path]) -> Path:
    """Return the user's own file if it is there, else the workflow's: examples run anywhere.

    Where there is neither, it is the user's that is missing.
    """
    root, workflow_folder = folders
    own, shipped = root / name, workflow_folder / name
    return shipped if shipped.is_file() and not own.is_file() else own


PACKAGE_FOLDER = "package:"


def resolve_data_folder(data_folder: str, root: Path) -> Path:
    """Return the folder that the sheet's paths start from.

    Parameters
    ----------
    data_folder : str
        A path, or ``package:NAME/FOLDER`` for a folder inside an installed Python package, which
        is found without importing the package.
    root : Path
        Start of relative paths.

    Returns
    -------
    Path
        An existing folder.

    Raises
    ------
    UserError
        If there is no such package or folder.
    """
    if not data_folder.startswith(PACKAGE_FOLDER):
        folder = root / data_folder
    else:
        package, _, inner = data_folder.removeprefix(PACKAGE_FOLDER).partition("/")
        found = _find_package(package)
        if found is None or not found.submodule_search_locations:
            raise UserError(
                f"configuration: data_folder: the Python package `{package}` is not installed; "
                "`make install` installs what the demo needs"
            )
        folder = Path(found.submodule_search_locations[0]) / inner
    if not folder.is_dir():
        raise UserError(
            f"configuration: data_folder: there is no folder {folder}; name the one that the paths "
            "of the sheet start from, there or by `--config data_folder=FOLDER`"
        )
    return folder


def _find_package(name: str) -> ModuleSpec | None:
    """Look for an installed package without importing it; none for a name that none can have."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
