"""From samples.tsv to sources and their regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from pipeline_lib.imaging.group_names import paths_to_groups, places_to_groups
from pipeline_lib.imaging.matching import pattern_to_files
from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.leaks import PlacedRegion, refuse_two_names
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.concepts import Concept
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.sheets import SampleRow
from pipeline_lib.sheets import Row
from pipeline_lib.study.folders import resolve_data_folder
from pipeline_lib.study.lookups import look_up, validated
from pipeline_lib.study.masks import cell_to_masks
from pipeline_lib.study.parts import Source
from pipeline_lib.study.regions import Earlier, add_region, row_to_region

FirstFiles = Callable[[list[Path]], list[Path]]
Places = Callable[[list[Path]], list[str | None]]


def rows_to_sources(
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
            region = row_to_region(row.value, source.name, groups[relative])
            add_region(regions[name], region, row.where, relative)
            placed[name].append(
                PlacedRegion(name, row.where, source.path, region, source.reading.position)
            )
    for found in placed.values():
        refuse_two_names(found)
    return sources, placed


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
    masks = cell_to_masks(row.value.masks, folder, relative, reading, row.where)
    return Source(name, folder / relative, reading, row.value.accept, masks)


def _add_source(sources: dict[str, Source], source: Source, where: str) -> None:
    """Add a source; rows that name one file must read it in the same way."""
    earlier = sources.setdefault(source.name, source)
    if earlier != source:
        raise UserError(
            f"{where}: path: an earlier row reads {source.path.name} with other settings "
            f"({earlier.reading.model_dump(exclude_none=True)}, accept {earlier.accepted}); rows "
            "of one file must agree in axes, channel, z, t, pixel_size_um, accept and masks"
        )


def _proposed_groups(paths: list[str], folder: Path, places: Places) -> dict[str, str]:
    """Return the groups that files' names and the stage's place propose, by relative path."""
    unique = list(dict.fromkeys(paths))
    known = dict(zip(unique, places([folder / path for path in unique]), strict=True))
    return places_to_groups(paths_to_groups(unique), known)
