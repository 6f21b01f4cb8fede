"""Files that the configuration names beside the sheet: class images, blank fields."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

from pipeline_lib.imaging.matching import pattern_to_files
from pipeline_lib.leaks import path_to_identity
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.study.folders import resolve_data_folder
from pipeline_lib.study.parts import Run, Source
from pipeline_lib.study.sources import FirstFiles


def find_prior_files(
    runs: Mapping[str, Run],
    configuration: Configuration,
    sources: Mapping[str, Mapping[str, Source]],
    root: Path,
    first_files: FirstFiles,
) -> dict[str, tuple[Path, ...]]:
    """Return the files of the priors of real images that runs use."""
    used = {name for run in runs.values() for name in run.priors if name}
    patterns = {name: configuration.priors[name].images for name in sorted(used)}
    folder = resolve_data_folder(configuration.data_folder, root)
    found = {name: _real_images(name, text, folder) for name, text in patterns.items() if text}
    found = {name: tuple(dict.fromkeys(first_files(list(paths)))) for name, paths in found.items()}
    concepts = {
        path_to_identity(source.path): concept
        for concept, listed in sources.items()
        for source in listed.values()
    }
    for name, paths in found.items():
        for path in paths:
            concept = concepts.get(path_to_identity(path))
            if concept is not None:
                raise UserError(
                    f"configuration: priors.{name}.images: {path} is an image of concept "
                    f"`{concept}` in {configuration.samples}; class images must be "
                    "others: what is held out must not be trained on, nor the subject as class"
                )
    return found


def _real_images(prior: str, pattern: str, folder: Path) -> tuple[Path, ...]:
    """Return the files that a prior's `images` means, sorted, hidden ones left out."""
    inner = f"{glob.escape(pattern)}/*" if (folder / pattern).is_dir() else pattern
    try:
        return tuple(folder / name for name in pattern_to_files(inner, folder))
    except UserError as error:
        raise UserError(
            f"configuration: priors.{prior}.images: {error}; correct it, or leave it out to have "
            "the base model draw the class"
        ) from None


def find_blank_files(
    configuration: Configuration, sources: Mapping[str, Mapping[str, Source]], root: Path
) -> dict[str, Path]:
    """Return the blank field of each dataset that has one; it must exist and hold no subject."""
    folder = resolve_data_folder(configuration.data_folder, root)
    found = {}
    for name, dataset in configuration.datasets.items():
        if dataset.blank is None:
            continue
        path = folder / dataset.blank
        where = f"configuration: datasets.{name}.blank"
        if not path.is_file():
            raise UserError(f"{where}: there is no file {path}; correct it")
        for source in sources[dataset.concept].values():
            if source.path.samefile(path):
                raise UserError(
                    f"{where}: {path} is an image of concept `{dataset.concept}` in "
                    f"{configuration.samples}; a blank field shows light and no subject: take its "
                    "row out, or name another file"
                )
        found[name] = path
    return found
