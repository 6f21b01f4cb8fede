"""From the configuration and its sheets to what is to be made: checked lookups for the rules.

Everything that can be refused before a job starts is refused here, with file, row and key.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.files import file_to_sha256
from pipeline_lib.leaks import Contents
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.sheets import SampleRow
from pipeline_lib.sheets import read_sheet
from pipeline_lib.study.folders import own_or_shipped
from pipeline_lib.study.further_files import find_blank_files, find_prior_files
from pipeline_lib.study.image_sets import check_image_folders, runs_to_image_sets
from pipeline_lib.study.lookups import look_up, validated
from pipeline_lib.study.parts import Study
from pipeline_lib.study.registries import check_bases_are_there, load_registry, used_extractors
from pipeline_lib.study.roles import check_used_concepts, refuse_leaks
from pipeline_lib.study.runs import load_runs
from pipeline_lib.study.sources import FirstFiles, Places, rows_to_sources
from pipeline_lib.study.superresolution import check_finer


def load_study(
    config: Mapping[str, Any],
    root: Path,
    workflow_folder: Path,
    first_files: FirstFiles = list,
    places: Places = lambda paths: [None] * len(paths),
    contents: Contents = file_to_sha256,
) -> Study:
    """Check a configuration and its sheets, and look everything up.

    Parameters
    ----------
    config : mapping
        Content of config.yaml.
    root : Path
        Folder that the sheets' and the data folder's relative paths start from.
    workflow_folder : Path
        Folder of the Snakefile, where paths of the registries start, and where sheets and
        registries are looked for that are not in ``root``.
    first_files : callable, optional
        From image files to the file of each image that stands for all its parts: an image that is
        spread over several files is one source.
    places : callable, optional
        Returns where the stage stood for each of some files, None where that is not known.
    contents : callable, optional
        Returns the hash of a file, by which copies of one file are known.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    UserError
        With file, row or key, what was found and what is needed.
    """
    configuration = validated(Configuration, config, "configuration")
    _check_references(configuration)
    folders = root, workflow_folder
    bases = load_registry("base_models", configuration.base_models, BaseModelEntry, folders)
    rows = read_sheet(own_or_shipped(configuration.samples, folders), SampleRow)
    sources, placed = rows_to_sources(rows, configuration, root, first_files, places)
    regions = {name: tuple(one.region for one in found) for name, found in placed.items()}
    runs = load_runs(configuration, bases, folders)
    check_bases_are_there(runs, bases, workflow_folder)
    check_used_concepts(runs, configuration, regions)
    refuse_leaks(runs, configuration, placed, contents)
    extractors, judges, distances = used_extractors(configuration, runs, folders)
    image_sets = runs_to_image_sets(runs, configuration)
    files = find_prior_files(runs, configuration, sources, root, first_files)
    return Study(
        configuration,
        bases,
        extractors,
        judges,
        distances,
        sources,
        regions,
        runs,
        image_sets,
        files,
        find_blank_files(configuration, sources, root),
    )


def _check_references(configuration: Configuration) -> None:
    """Refuse names in config.yaml that point nowhere."""
    for name, dataset in configuration.datasets.items():
        where = f"configuration: datasets.{name}.concept"
        look_up(dataset.concept, configuration.concepts, "concept", where)
    check_image_folders(configuration)
    check_finer(configuration)
    look_up(
        configuration.evaluation.prompt,
        configuration.sampling.prompts,
        "prompt of `sampling.prompts`",
        "configuration: evaluation.prompt",
    )
