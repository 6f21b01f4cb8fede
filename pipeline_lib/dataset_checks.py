"""Datasets against the headers of their files: sizes of pixels, tiles and choices of planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.imaging.axes import at_own_position, select_planes, settle_axes
from pipeline_lib.imaging.headers import Header
from pipeline_lib.imaging.pixel_sizes import pixel_sizes_to_scales, settle_pixel_size
from pipeline_lib.imaging.scaling import refuse_small_region, scale_shape
from pipeline_lib.imaging.splitting import TRAIN, box_to_shape, regions_to_roles
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.splitting import SourceRegion
from pipeline_lib.settings.tiling import TilingSettings
from pipeline_lib.study.parts import Source, Study
from pipeline_lib.study.superresolution import upscaled_datasets


def refuse_unfit_datasets(study: Study, headers: Mapping[Path, Header]) -> None:
    """Refuse datasets that ask of their fields what these cannot give.

    Parameters
    ----------
    study : Study
        The checked study; only datasets of its runs and upscalers are looked at.
    headers : mapping
        Headers of the fields' files, each of which can be read as it is asked for.

    Raises
    ------
    UserError
        If the fields of a dataset have different pixel sizes and are not to be rescaled, if one is
        smaller than a tile, or if there are fewer planes to train on than are asked for.
    """
    used = {one.dataset: one.concept for run in study.runs.values() for one in run.concepts}
    configured = study.configuration.datasets
    used |= {name: configured[name].concept for name in upscaled_datasets(study)}
    for name, concept in used.items():
        dataset = configured[name]
        sources, regions = study.sources[concept], study.regions[concept]
        fields = {one.name: _source_to_field(one, headers[one.path]) for one in sources.values()}
        try:
            _refuse_small_regions(regions, fields, dataset.tiles)
            _refuse_too_few_planes(regions, fields, dataset)
        except UserError as error:
            raise UserError(f"dataset `{name}`: {error}") from None


class Field(NamedTuple):
    """What is read of a source."""

    path: Path
    planes: int
    shape: tuple[int, int]
    pixel_size_um: float | None


def _source_to_field(source: Source, header: Header) -> Field:
    """Return what is read of a source, by the header of its file."""
    planes, *sides = header_to_planes(header, source.reading)
    size = settle_pixel_size(header.pixel_size_um, source.reading.pixel_size_um)[0]
    return Field(source.path, planes, (sides[0], sides[1]), size)


def header_to_planes(header: Header, reading: ReadingSettings) -> tuple[int, int, int]:
    """Return how many planes are read of a file that can be read so, their rows and columns."""
    reading = at_own_position(reading, header.own_position)
    layout = settle_axes(header.axes, header.shape, reading.axes)
    sides = dict(zip(layout.axes, layout.shape, strict=True))
    planes = select_planes(layout, header.channels, reading, header.positions)
    return len(planes), sides["Y"], sides["X"]


def _refuse_small_regions(
    regions: Sequence[SourceRegion], fields: Mapping[str, Field], tiles: TilingSettings
) -> None:
    """Refuse regions into which no tile fits, and fields whose scale is not known."""
    sizes = {str(field.path): field.pixel_size_um for field in fields.values()}
    scales = pixel_sizes_to_scales(sizes, tiles)
    for one in regions:
        field = fields[one.source]
        shape = box_to_shape(one.region) if one.region else field.shape
        refuse_small_region(field.path.name, scale_shape(shape, scales[str(field.path)]), tiles)


def _refuse_too_few_planes(
    regions: Sequence[SourceRegion], fields: Mapping[str, Field], dataset: Dataset
) -> None:
    """Refuse to train on more planes than the fields have; quality may refuse some later on."""
    if dataset.training_planes is None:
        return
    roles = regions_to_roles(regions, dataset.split)
    trained = {one.source for one, role in zip(regions, roles, strict=True) if role == TRAIN}
    there = sum(fields[name].planes for name in trained)
    if there < dataset.training_planes:
        raise UserError(
            f"`training_planes` is {dataset.training_planes}, but the {len(trained)} of its "
            f"{len(fields)} files that are trained on have {there} plane{'s' * (there != 1)}; add "
            "images, or lower it or the shares of `split`"
        )
