"""`clean-work`: the states of trainings in work/ that no run of a configuration needs any more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline_lib.hash_cache import HashCache
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.settings.base import UserError
from pipeline_lib.study.loading import load_study
from pipeline_lib.study.parts import Study
from pipeline_lib.study.superresolution import WAYS, upscaled_datasets
from pipeline_lib.training.leftovers import (
    Leftover,
    delete_state,
    find_leftovers,
    folder_to_freed_bytes,
    unknown_states,
)
from pipeline_lib.training.publishing import ORDERS
from pipeline_lib.yaml_files import read_mapping


def clean(configfile: Path, work: Path, workflow_folder: Path, delete: bool) -> Iterator[str]:
    """List the states that can go with their sizes, and delete them if that is wanted.

    Parameters
    ----------
    configfile : Path
        The configuration; its sheets and results lie where Snakemake would look for them.
    work : Path
        Folder of the trainings' states.
    workflow_folder : Path
        Folder of the Snakefile.
    delete : bool
        Whether to delete, or only to say what would be.

    Yields
    ------
    str
        A line for each state, those that no order names among them, and the sum.

    Raises
    ------
    UserError
        If the configuration or an order cannot be read: then nothing is deleted.
    """
    if not configfile.is_file():
        raise UserError(f"--configfile {configfile}: there is no such file")
    headers = HeaderCache(work / "headers.json", kept=False)
    hashes = HashCache(work / "hashes.json", kept=False)
    config = read_mapping(configfile)
    known = (headers.first_files, headers.places, hashes.file)
    study = load_study(config, Path(), workflow_folder, *known)
    is_wanted = wanted_outputs(study)
    found = list(find_leftovers(work, is_wanted))
    for leftover in found:
        gone = delete and delete_state(leftover.folder, work / ORDERS, is_wanted)
        yield leftover_to_line(leftover, delete, gone)
    for folder in unknown_states(work):
        size = bytes_to_text(folder_to_freed_bytes(folder))
        yield f"kept: {folder}  {size}  no order names it; delete it by hand if no run needs it"
    freed = bytes_to_text(sum(leftover.freed for leftover in found))
    done = "" if delete or not found else "; nothing was deleted yet: --yes does"
    yield f"{len(found)} states, {freed}{done}"


def wanted_outputs(study: Study) -> Callable[[str], bool]:
    """Return what says of a trained model's path whether a run asks for it.

    What does not belong to the study's project is not known here, and is taken as asked for.
    """
    root = f"results/{study.configuration.project}/"
    trained = {(run.base, one.dataset) for run in study.runs.values() for one in run.concepts}
    wanted = {f"{root}runs/{run}/model" for run in study.runs} | {
        f"{root}decoders/{base}/{dataset}/model"
        for base, dataset in trained
        if study.configuration.datasets[dataset].autoencoder == "tuned"
    }
    upscaled = itertools.product(upscaled_datasets(study), WAYS)
    wanted |= {f"{root}upscalers/{dataset}/{way}/model" for dataset, way in upscaled}
    return lambda output: output in wanted or not output.startswith(root)


def leftover_to_line(leftover: Leftover, delete: bool, gone: bool) -> str:
    """Return the line of a state: that it can go, or whether its deletion succeeded."""
    named = f"{leftover.folder}  {bytes_to_text(leftover.freed)}  {leftover.reason}"
    if not delete:
        return named
    return f"deleted: {named}" if gone else f"in use or asked for since, kept: {named}"


def bytes_to_text(number: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.1f} kB"
