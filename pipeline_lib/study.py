"""From the configuration and its sheets to what is to be made: checked lookups for the rules.

Everything that can be refused before a job starts is refused here, with file, row and key.
"""

from __future__ import annotations

import difflib
import glob
import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePath
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline_lib.command_line import validation_to_message
from pipeline_lib.imaging.group_names import paths_to_groups, places_to_groups
from pipeline_lib.imaging.matching import pattern_to_files
from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.imaging.splitting import (
    box_to_text,
    boxes_overlap,
    refuse_missing_roles,
    regions_to_roles,
)
from pipeline_lib.leaks import (
    PlacedRegion,
    path_to_identity,
    refuse_two_names,
    refuse_two_sides,
)
from pipeline_lib.settings import (
    BaseModelEntry,
    Concept,
    Configuration,
    Dataset,
    ExtractorEntry,
    Prompt,
    ReadingSettings,
    RunRow,
    SampleRow,
    Settings,
    SourceRegion,
    TrainedConcept,
    TrainingSettings,
    UserError,
    parse_region,
)
from pipeline_lib.sheets import Row, read_sheet
from pipeline_lib.yaml_files import read_mapping

Model = TypeVar("Model", bound=Settings)
Earlier = dict[tuple[str, str], list[SourceRegion]]  # regions by their file and by their group
FirstFiles = Callable[[list[Path]], list[Path]]
Places = Callable[[list[Path]], list[str | None]]
PACKAGE_FOLDER = "package:"
STUDY_PAGE = "study"
UNTUNED = "base-"
AUTO = "auto"  # in the place of an identifier: the weakest that is measured for the noun
PROPOSED_GROUP = (
    " (without a `group`, files that their names take for one place of the specimen are one; give "
    "each a word of its own in `group` if they are not)"
)
LARGEST_RATIO = 2  # of the tiles' side and the base model's, either way
CLASS_IMAGES = "class"  # a tuned model's images of the class alone, in the place of a prompt's name


@dataclass(frozen=True)
class Source:
    """One raw file of a concept."""

    name: str
    path: Path
    reading: ReadingSettings
    accepted: bool


@dataclass(frozen=True)
class Run:
    """One model to train, with everything looked up."""

    name: str
    base: str
    concepts: tuple[TrainedConcept, ...]
    priors: tuple[str | None, ...]
    training: TrainingSettings
    size: int


@dataclass(frozen=True)
class ImageSet:
    """The images of one model and prompt."""

    model: str
    base: str
    run: str | None
    dataset: str
    concept: str
    prompt_name: str
    prompt: Prompt
    size: int
    count: int
    identifier: bool = True

    @property
    def folder(self) -> str:
        """Return the set's folder name below the model's."""
        return image_folder(self.dataset, self.prompt_name)


@dataclass(frozen=True)
class Study:
    """The checked configuration with sheets read and names looked up."""

    configuration: Configuration
    bases: Mapping[str, BaseModelEntry]
    extractors: Mapping[str, ExtractorEntry]
    judges: Mapping[str, ExtractorEntry]
    sources: Mapping[str, Mapping[str, Source]]
    regions: Mapping[str, tuple[SourceRegion, ...]]
    runs: Mapping[str, Run]
    image_sets: Mapping[tuple[str, str], ImageSet]
    prior_files: Mapping[str, tuple[Path, ...]]
    blanks: Mapping[str, Path]


def load_study(
    config: Mapping[str, Any],
    root: Path,
    workflow_folder: Path,
    first_files: FirstFiles = list,
    places: Places = lambda paths: [None] * len(paths),
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
    bases = _load_registry("base_models", configuration.base_models, BaseModelEntry, folders)
    rows = read_sheet(_own_or_shipped(configuration.samples, folders), SampleRow)
    sources, placed = _rows_to_sources(rows, configuration, root, first_files, places)
    regions = {name: tuple(one.region for one in found) for name, found in placed.items()}
    runs = _load_runs(configuration, bases, folders)
    _check_bases_are_there(runs, bases, workflow_folder)
    _check_used_concepts(runs, configuration, regions)
    _refuse_leaks(runs, configuration, placed)
    extractors, judges = _used_extractors(configuration, runs, folders)
    image_sets = _runs_to_image_sets(runs, configuration)
    files = _prior_files(runs, configuration, sources, root, first_files)
    return Study(
        configuration,
        bases,
        extractors,
        judges,
        sources,
        regions,
        runs,
        image_sets,
        files,
        _blank_files(configuration, sources, root),
    )


def validated(model: type[Model], value: Any, where: str) -> Model:
    """Return the value as a settings model, or raise `UserError` naming every bad key."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(validation_to_message(error, where)) from None


def look_up(name: str, table: Mapping[str, Model], what: str, where: str) -> Model:
    """Return the table's entry, or raise `UserError` with the names there are."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    known = ", ".join(sorted(table)) or "none"
    raise UserError(f"{where}: no {what} is called `{name}` (there are: {known}){hint}")


def _check_references(configuration: Configuration) -> None:
    """Refuse names in config.yaml that point nowhere."""
    for name, dataset in configuration.datasets.items():
        where = f"configuration: datasets.{name}.concept"
        look_up(dataset.concept, configuration.concepts, "concept", where)
    _check_image_folders(configuration)
    look_up(
        configuration.evaluation.prompt,
        configuration.sampling.prompts,
        "prompt of `sampling.prompts`",
        "configuration: evaluation.prompt",
    )


def _own_or_shipped(name: str, folders: tuple[Path, Path]) -> Path:
    """Return the user's own file if it is there, else the workflow's: examples run anywhere.

    Where there is neither, it is the user's that is missing.
    """
    root, workflow_folder = folders
    own, shipped = root / name, workflow_folder / name
    return shipped if shipped.is_file() and not own.is_file() else own


def _load_registry(
    key: str, name: str, model: type[Model], folders: tuple[Path, Path]
) -> dict[str, Model]:
    """Read a registry: the user's own file if it is there, else the workflow's."""
    path = _own_or_shipped(name, folders)
    if not path.is_file():
        raise UserError(f"no file {path}: `{key}` must name a registry")
    entries = read_mapping(path)
    return {entry: validated(model, one, f"{path}: {entry}") for entry, one in entries.items()}


def _used_extractors(
    configuration: Configuration, runs: Mapping[str, Run], folders: tuple[Path, Path]
) -> tuple[dict[str, ExtractorEntry], dict[str, ExtractorEntry]]:
    """Return the extractors of the evaluation, and those that trainings are judged by."""
    registry = _load_registry("extractors", configuration.extractors, ExtractorEntry, folders)
    judges = {run.training.judge_by: f"run {run.name}: training.judge_by" for run in runs.values()}
    judges.pop(None, None)
    where = "configuration: evaluation.extractors"
    named = dict.fromkeys(configuration.evaluation.extractors, where)
    used, judging = (
        {name: _local_extractor(name, registry, said, folders[1]) for name, said in names.items()}
        for names in (named, judges)
    )
    return used, judging


def _local_extractor(
    name: str, registry: Mapping[str, ExtractorEntry], where: str, workflow_folder: Path
) -> ExtractorEntry:
    """Return an extractor of the registry; refuse a local one whose weights are missing."""
    entry = look_up(name, registry, "extractor", where)
    local = entry.kind in ("folder", "single_file")
    if local and not (workflow_folder / str(entry.path)).exists():
        raise UserError(
            f"{where}: {entry.path} of `{name}` does not exist; put its weights there, or "
            "correct its path in the registry of extractors"
        )
    return entry


def headline_extractor(extractors: Mapping[str, ExtractorEntry]) -> str:
    """Return the extractor by which runs are judged: the first DINOv2, else the first.

    Stein et al. 2023 (arXiv 2306.04675): distances of DINOv2 features follow people's judgement
    most closely.
    """
    dinov2 = [name for name, entry in extractors.items() if entry.family == "dinov2"]
    return (dinov2 or list(extractors))[0]


# --- samples.tsv ---------------------------------------------------------------------------------


def _rows_to_sources(
    rows: Iterable[Row[SampleRow]],
    configuration: Configuration,
    root: Path,
    first_files: FirstFiles,
    places: Places,
) -> tuple[dict[str, dict[str, Source]], dict[str, list[PlacedRegion]]]:
    """Resolve the sheet's globs to sources and regions, by concept."""
    folder = resolve_data_folder(configuration.data_folder, root)
    sources: dict[str, dict[str, Source]] = {name: {} for name in configuration.concepts}
    regions: dict[str, Earlier] = {name: {} for name in configuration.concepts}
    placed: dict[str, list[PlacedRegion]] = {name: [] for name in configuration.concepts}
    listed = [(row, _match_files(row, folder, first_files)) for row in rows]
    groups = _proposed_groups([path for _, paths in listed for path in paths], folder, places)
    for row, paths in listed:
        name = row.value.concept
        concept = look_up(row.value.concept, configuration.concepts, "concept", row.where)
        for relative in paths:
            source = _row_to_source(row, concept, folder, relative)
            _add_source(sources[row.value.concept], source, row.where)
            region = _row_to_region(row.value, source.name, groups[relative])
            _add_region(regions[name], region, row.where, relative)
            placed[name].append(
                PlacedRegion(name, row.where, source.path, region, source.reading.position)
            )
    for found in placed.values():
        refuse_two_names(found)
    return sources, placed


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


def _match_files(row: Row[SampleRow], folder: Path, first_files: FirstFiles) -> list[str]:
    """Return the images a row means, by their first files, relative to the data folder."""
    try:
        found = pattern_to_files(row.value.path, folder)
    except UserError as error:
        raise UserError(
            f"{row.where}: path: {error}; correct the cell or `data_folder` in the configuration"
        ) from None
    firsts = zip(found, first_files([folder / name for name in found]), strict=True)
    return list(
        dict.fromkeys(PurePath(name).with_name(one.name).as_posix() for name, one in firsts)
    )


def _row_to_source(row: Row[SampleRow], concept: Concept, folder: Path, relative: str) -> Source:
    """Return the source of one file, the row's cells laid over the concept's defaults."""
    keys = ("axes", "channel", "z", "t", "position", "pixel_size_um")
    cells = {key: getattr(row.value, key) for key in keys}
    given = {key: cell for key, cell in cells.items() if cell is not None}
    reading = validated(
        ReadingSettings, concept.reading.model_dump() | given, f"{row.where}: reading"
    )
    name = path_to_source(relative, reading.position)
    return Source(name, folder / relative, reading, row.value.accept)


def _add_source(sources: dict[str, Source], source: Source, where: str) -> None:
    """Add a source; rows that name one file must read it in the same way."""
    earlier = sources.setdefault(source.name, source)
    if earlier != source:
        raise UserError(
            f"{where}: path: an earlier row reads {source.path.name} with other settings "
            f"({earlier.reading.model_dump(exclude_none=True)}, accept {earlier.accepted}); rows "
            "of one file must agree in axes, channel, z, t, pixel_size_um and accept"
        )


def _proposed_groups(paths: list[str], folder: Path, places: Places) -> dict[str, str]:
    """Return the groups that files' names and the stage's place propose, by relative path."""
    unique = list(dict.fromkeys(paths))
    known = dict(zip(unique, places([folder / path for path in unique]), strict=True))
    return places_to_groups(paths_to_groups(unique), known)


def _row_to_region(row: SampleRow, source: str, proposed: str) -> SourceRegion:
    """Return the region a row means, in the proposed group where it names none."""
    return SourceRegion(
        source=source,
        region=parse_region(row.region) if row.region else None,
        group=row.group or proposed,
        group_proposed=row.group is None,
        role=row.role,
        caption=row.caption,
    )


def _add_region(regions: Earlier, region: SourceRegion, where: str, relative: str) -> None:
    """Add a region; regions of one file must not overlap, files of one group share a role."""
    of_file = regions.setdefault(("file", region.source), [])
    for earlier in of_file:
        if _overlap(earlier.region, region.region):
            raise UserError(
                f"{where}: region: {relative} is named twice with overlapping regions "
                f"({_written(earlier.region)} and {_written(region.region)}); pixels may stand in "
                "one row only"
            )
    of_group = regions.setdefault(("group", region.group), [])
    for earlier in of_group:
        if earlier.source != region.source and earlier.role != region.role:
            raise UserError(
                f"{where}: role: group `{region.group}` has role {earlier.role} in an earlier row "
                f"and {region.role} here; a group stays together"
                + (PROPOSED_GROUP if region.group_proposed else "")
            )
    of_file.append(region)
    # Of members with one role two files are enough to refuse any other.
    alike = {earlier.source for earlier in of_group if earlier.role == region.role}
    if len(alike - {region.source}) < 2:
        of_group.append(region)


def _overlap(
    first: tuple[int, int, int, int] | None, second: tuple[int, int, int, int] | None
) -> bool:
    """Tell whether two regions share a pixel; none means all of the field."""
    return first is None or second is None or boxes_overlap(first, second)


def _written(region: tuple[int, int, int, int] | None) -> str:
    """Return a region as the sheet writes it."""
    return box_to_text(region) if region else "all of it"


# --- runs.tsv ------------------------------------------------------------------------------------


def _load_runs(
    configuration: Configuration, bases: Mapping[str, BaseModelEntry], folders: tuple[Path, Path]
) -> dict[str, Run]:
    """Read runs.tsv and look its names up."""
    overrides = tuple(TrainingSettings.model_fields)
    rows = read_sheet(_own_or_shipped(configuration.runs, folders), RunRow, overrides)
    runs: dict[str, Run] = {}
    models: dict[Run, str] = {}  # the first run of each model, names aside
    for row in rows:
        name = row.value.run
        if name in runs:
            raise UserError(f"{row.where}: run: `{name}` is named by an earlier row too")
        if name == STUDY_PAGE or name.startswith(UNTUNED):
            raise UserError(
                f"{row.where}: run: `{name}` would share a folder with the study's page or an "
                f"untuned base; it must not be `{STUDY_PAGE}` nor start with `{UNTUNED}`"
            )
        runs[name] = _row_to_run(row, configuration, bases)
        first = models.setdefault(replace(runs[name], name=""), name)
        if first != name:
            raise UserError(
                f"{row.where}: run: `{name}` is `{first}` again, and would be the same model; "
                "change what shall differ, or for a repeat its `seed`"
            )
    return runs


def _row_to_run(
    row: Row[RunRow], configuration: Configuration, bases: Mapping[str, BaseModelEntry]
) -> Run:
    """Look up one run's base, datasets, priors and identifiers."""
    look_up(row.value.base, bases, "base model", f"{row.where}: base")
    training = validated(
        TrainingSettings, configuration.training.model_dump() | row.extra, row.where
    )
    names = _cells(row.value.datasets)
    datasets = [
        look_up(name, configuration.datasets, "dataset", f"{row.where}: datasets") for name in names
    ]
    size = _common_size(row, names, datasets)
    _refuse_far_size(row, size, bases[row.value.base])
    priors = _run_priors(row, len(names), training, configuration, size)
    identifiers = _run_identifiers(row, len(names))
    concepts = tuple(
        _trained_concept(name, dataset, identifier, prior, configuration)
        for name, dataset, identifier, prior in zip(
            names, datasets, identifiers, priors, strict=True
        )
    )
    return Run(row.value.run, row.value.base, concepts, priors, training, size)


def _check_bases_are_there(
    runs: Mapping[str, Run], bases: Mapping[str, BaseModelEntry], workflow_folder: Path
) -> None:
    """Refuse a local base model whose folder or file is missing."""
    for run in runs.values():
        path = bases[run.base].path
        if path is not None and not (workflow_folder / path).exists():
            raise UserError(
                f"run `{run.name}`: base: {path} of `{run.base}` does not exist; correct its path "
                "in the registry of base models (`make base-model` builds the embedded one)"
            )


def _cells(text: str) -> list[str]:
    """Split a cell at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _common_size(row: Row[RunRow], names: list[str], datasets: list[Dataset]) -> int:
    """Return the tile size that all datasets of a run share; refuse repeated concepts."""
    sizes = {dataset.tiles.size for dataset in datasets}
    if len(sizes) != 1:
        found = ", ".join(
            f"{name} {dataset.tiles.size}" for name, dataset in zip(names, datasets, strict=True)
        )
        raise UserError(
            f"{row.where}: datasets: the tiles of one run need one size, found {found} pixels"
        )
    concept, count = Counter(dataset.concept for dataset in datasets).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"{row.where}: datasets: concept `{concept}` is given {count} times; a run takes one "
            "dataset of each concept"
        )
    return sizes.pop()


def _refuse_far_size(row: Row[RunRow], size: int, base: BaseModelEntry) -> None:
    """Refuse tiles of a size at which the base model draws nothing sensible."""
    if base.size / LARGEST_RATIO <= size <= base.size * LARGEST_RATIO:
        return
    raise UserError(
        f"{row.where}: base: `{row.value.base}` was trained on {base.size} pixels, the tiles have "
        f"{size}, at which it draws nothing sensible; set `tiles: {{size: {base.size}}}` of the "
        "datasets, and `scale` to show as much of the field as before"
    )


def _run_priors(
    row: Row[RunRow],
    count: int,
    training: TrainingSettings,
    configuration: Configuration,
    size: int,
) -> tuple[str | None, ...]:
    """Return the prior of each dataset, or none of them when the prior loss is off."""
    names = _cells(row.value.priors)
    where = f"{row.where}: priors"
    if not names and training.prior_weight > 0:
        raise UserError(
            f"{where}: none given, but prior_weight is {training.prior_weight}; name a prior of "
            "the configuration or set prior_weight to 0"
        )
    for name in names:
        look_up(name, configuration.priors, "prior", where)
    if training.prior_weight == 0:
        return (None,) * count
    names = names * count if len(names) == 1 else names
    if len(names) != count:
        raise UserError(f"{where}: found {len(names)} priors for {count} datasets; give 1 or each")
    of_prompt: dict[str, str] = {}
    for name in names:
        prior = configuration.priors[name]
        if of_prompt.setdefault(prior.class_prompt, name) != name:
            raise UserError(
                f"{where}: `{of_prompt[prior.class_prompt]}` and `{name}` have one class prompt, "
                "by which training knows class images; give this run one of them, or change "
                f"priors.{name}.class_prompt"
            )
        if prior.size != size:
            raise UserError(
                f"{where}: the images of prior `{name}` have {prior.size} pixels, the tiles {size};"
                f" set priors.{name}.size to {size}"
            )
    return tuple(names)


def _prior_files(
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


def _run_identifiers(row: Row[RunRow], count: int) -> list[str]:
    """Return the identifier of each dataset; given ones must differ."""
    names = _cells(row.value.identifiers) or [AUTO]
    names = names * count if names == [AUTO] else names
    where = f"{row.where}: identifiers"
    if len(names) != count:
        raise UserError(f"{where}: found {len(names)} for {count} datasets; give `auto` or each")
    given = [name for name in names if name != AUTO]
    if len(set(given)) != len(given):
        raise UserError(f"{where}: {', '.join(given)}: each dataset needs an identifier of its own")
    spaced = [name for name in given if len(name.split()) > 1]
    if spaced:
        raise UserError(f"{where}: `{spaced[0]}` holds a space; an identifier is one token")
    return names


def _trained_concept(
    name: str,
    dataset: Dataset,
    identifier: str,
    prior: str | None,
    configuration: Configuration,
) -> TrainedConcept:
    """Return one concept of a run as the training stage wants it."""
    concept = configuration.concepts[dataset.concept]
    return TrainedConcept(
        concept=dataset.concept,
        dataset=name,
        identifier=identifier,
        noun=concept.noun,
        modality=concept.modality,
        training_prompt=training_template(configuration, dataset.concept),
        prior_weight=concept.prior_weight if prior else 1.0,
        class_prompt=configuration.priors[prior].class_prompt if prior else None,
    )


def training_template(configuration: Configuration, concept: str) -> str:
    """Return the template of a concept's training prompts: its own, or the one of all concepts."""
    return configuration.concepts[concept].training_prompt or configuration.training_prompt


def _check_used_concepts(
    runs: Mapping[str, Run],
    configuration: Configuration,
    regions: Mapping[str, tuple[SourceRegion, ...]],
) -> None:
    """Refuse concepts that runs need and that have no image to train on or to compare with."""
    for run in runs.values():
        for trained in run.concepts:
            roles = Counter(region.role for region in regions[trained.concept])
            for role in ("train", "holdout"):
                if not roles[role] and not roles["auto"]:
                    raise UserError(
                        f"{configuration.samples}: concept `{trained.concept}` (run `{run.name}`) "
                        f"has no row with role {role} or auto; add files for it"
                    )


def _refuse_leaks(
    runs: Mapping[str, Run],
    configuration: Configuration,
    placed: Mapping[str, list[PlacedRegion]],
) -> None:
    """Refuse datasets that cannot be shared out, and runs whose concepts share what is held out."""
    roles: dict[str, tuple[str, ...]] = {}
    for run in runs.values():
        for one in run.concepts:
            if one.dataset not in roles:
                listed = [region.region for region in placed[one.concept]]
                roles[one.dataset] = _dataset_roles(one.dataset, listed, configuration)
        regions = [region for one in run.concepts for region in placed[one.concept]]
        drawn = [role for one in run.concepts for role in roles[one.dataset]]
        refuse_two_sides(run.name, regions, drawn)


def _dataset_roles(
    dataset: str, regions: list[SourceRegion], configuration: Configuration
) -> tuple[str, ...]:
    """Return the roles that a dataset's split will give; refuse what it would refuse."""
    try:
        roles = regions_to_roles(regions, configuration.datasets[dataset].split)
        refuse_missing_roles(roles)
    except UserError as error:
        raise UserError(f"{configuration.samples}: dataset `{dataset}`: {error}") from None
    return roles


def _blank_files(
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


def image_folder(dataset: str, prompt_name: str) -> str:
    """Return the name of the folder that holds a model's images of one dataset and prompt."""
    return f"{dataset}-{prompt_name}"


def _check_image_folders(configuration: Configuration) -> None:
    """Refuse names of datasets and prompts by which two sets of images would share a folder."""
    names = [*configuration.sampling.prompts]
    if configuration.evaluation.class_prompt_images:
        if CLASS_IMAGES in names:
            raise UserError(
                f"configuration: sampling.prompts.{CLASS_IMAGES}: the images of the class alone "
                "(evaluation.class_prompt_images) lie in the folder of this name; rename the prompt"
            )
        names.append(CLASS_IMAGES)
    pairs = itertools.product(configuration.datasets, names)
    earlier: dict[str, tuple[str, str]] = {}
    for dataset, prompt in pairs:
        folder = image_folder(dataset, prompt)
        first = earlier.setdefault(folder, (dataset, prompt))
        if first != (dataset, prompt):
            raise UserError(
                f"configuration: datasets.{dataset} with sampling.prompts.{prompt} and "
                f"datasets.{first[0]} with sampling.prompts.{first[1]} would share the folder "
                f"`{folder}`; rename one of them"
            )


def _runs_to_image_sets(
    runs: Mapping[str, Run], configuration: Configuration
) -> dict[tuple[str, str], ImageSet]:
    """Return the image sets of all runs, and of each base where a run's is compared with it."""
    prompts, evaluation = configuration.sampling.prompts, configuration.evaluation
    compared = prompts[evaluation.prompt]
    untuned_count = configuration.sampling.untuned_count or compared.count
    found: dict[tuple[str, str], ImageSet] = {}
    for run in runs.values():
        base, tuned = (f"{UNTUNED}{run.base}", run.base, None), (run.name, run.base, run.name)
        wanted = [(tuned, name, prompt, prompt.count, True) for name, prompt in prompts.items()]
        wanted.append((base, evaluation.prompt, compared, untuned_count, True))
        if evaluation.class_prompt_images:
            wanted.append((tuned, CLASS_IMAGES, compared, evaluation.class_prompt_images, False))
        for trained in run.concepts:
            for model, name, prompt, *count_and_identifier in wanted:
                shared = (trained.dataset, trained.concept, name, prompt, run.size)
                one = ImageSet(*model, *shared, *count_and_identifier)
                found[one.model, one.folder] = one
    return found
