"""``python -m pipeline_lib init``: look through a folder, propose, write, and say what is left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.beginning.arranging import name_to_slug, pictures_to_concepts
from pipeline_lib.beginning.finding import Found, folder_to_found
from pipeline_lib.beginning.proposing import Proposal, pictures_to_proposal
from pipeline_lib.beginning.telling import found_to_lines, left_out_to_lines, proposal_to_lines
from pipeline_lib.beginning.writing import (
    proposals_to_config,
    proposals_to_runs,
    proposals_to_samples,
)
from pipeline_lib.decisions import text_to_open_lines
from pipeline_lib.files import path_to_portable, write_text
from pipeline_lib.settings.base import UserError

FILES = ("config.yaml", "samples.tsv", "runs.tsv")
BASE_SIZE = 128
SAYS_NOTHING = re.compile(
    r"(?i)((raw|all|my|new)[-_ ]?)?(images?|img|data|raw|tiffs?|tifs?|pictures?|fields?|exports?)"
)
ABOVE, LEAST_PARTS = 2, 3  # folders that are looked at; /home/NAME and /mnt/DISK have three parts
TEMPLATE_KEYS = ("training", "sampling")


def begin(
    folder: Path,
    output: Path | None,
    overwrite: bool,
    workflow_folder: Path,
    name: str | None = None,
) -> list[str]:
    """Write a configuration for a folder of images.

    Parameters
    ----------
    folder : Path
        Where the images lie.
    output : Path or None
        Folder to write config.yaml, samples.tsv and runs.tsv into; none means ``config/NAME``.
    overwrite : bool
        Whether files that are there already may be replaced.
    workflow_folder : Path
        Of the workflow, whose `config/config.yaml` has the settings of training and sampling.
    name : str, optional
        Of the project, and of its concept if there is one; none means what the folder is called.

    Returns
    -------
    list of str
        Lines that say what was found, what is proposed and what to do next.

    Raises
    ------
    UserError
        If there is no picture, or if files would be replaced.
    """
    name = name or folder_to_name(folder.resolve())
    project = name_to_slug(name)
    place = output or Path("config") / project
    _refuse_to_overwrite(place, overwrite)
    found, proposals = _propose(folder, name)
    paths = {
        "project": project,
        "data_folder": path_to_portable(folder),
        **{sheet: path_to_portable(place / f"{sheet}.tsv") for sheet in ("samples", "runs")},
    }
    texts = (
        proposals_to_config(proposals, paths, _template(workflow_folder)),
        proposals_to_samples(proposals),
        proposals_to_runs(proposals),
    )
    for file, text in zip(FILES, texts, strict=True):
        write_text(place / file, text)
    lines = found_to_lines(found, proposals)
    for one in proposals:
        lines += ["", *proposal_to_lines(one)]
    return [*lines, "", *_what_next(place, texts)]


def folder_to_name(folder: Path) -> str:
    """Return what a folder is called, or one of the two above where that tells what it holds.

    A person's folder, and those that hold all persons' or a whole disk, tell of no images.
    """
    above = [
        one for one in folder.parents[:ABOVE] if one not in (Path.home(), *Path.home().parents)
    ]
    named = (one.name for one in (folder, *above) if len(one.parts) > LEAST_PARTS)
    return next((name for name in named if not SAYS_NOTHING.fullmatch(name)), folder.name)


def _refuse_to_overwrite(place: Path, overwrite: bool) -> None:
    """Refuse to replace files without being told to."""
    there = [name for name in FILES if (place / name).exists()]
    if there and not overwrite:
        raise UserError(
            f"{place} holds {', '.join(there)} already; name another place with --output, or "
            "replace them with --overwrite"
        )


def _propose(folder: Path, called: str) -> tuple[Found, list[Proposal]]:
    """Look through a folder and propose what its concepts need."""
    found = folder_to_found(folder)
    proposals: list[Proposal] = []
    for name, pictures in pictures_to_concepts(found.pictures, called).items():
        proposal, refused = pictures_to_proposal(name, pictures, folder, BASE_SIZE)
        found = found.without(refused)
        if proposal:
            proposals.append(proposal)
    if not proposals:
        reasons = "\n".join(left_out_to_lines(found.left_out))
        raise UserError(f"{folder} holds no image that can be read:\n{reasons}")
    return found, proposals


def _template(workflow_folder: Path) -> dict[str, Any]:
    """Return the settings of training and sampling that serve the embedded base model."""
    whole = yaml.safe_load((workflow_folder / "config/config.yaml").read_text(encoding="utf-8"))
    return {key: whole[key] for key in TEMPLATE_KEYS if key in whole}


def _what_next(place: Path, texts: Sequence[str]) -> list[str]:
    """Return where a person must decide, and the command that comes after."""
    config = place / "config.yaml"
    marks = [
        f"{place / name}:{number}"
        for name, text in zip(FILES, texts, strict=True)
        for number in text_to_open_lines(text)
    ]
    return [
        f"Written: {', '.join(str(place / name) for name in FILES)}",
        f"Decide at: {', '.join(marks)}" if marks else "The files left nothing to decide.",
        "Then look at the tiles, and train:",
        f"  snakemake --configfile {config} --profile profiles/local --cores 2 tiles_only",
        f"  snakemake --configfile {config} --profile profiles/local --cores 2",
    ]
