"""Files against what is asked of them, by their headers alone, before any job starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.dataset_checks import header_to_planes, refuse_unfit_datasets
from pipeline_lib.imaging.axes import at_own_position, select_planes, settle_axes, without_absent
from pipeline_lib.imaging.headers import Header, HeaderCache
from pipeline_lib.imaging.pixel_sizes import settle_pixel_size
from pipeline_lib.imaging.splitting import box_to_text
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.study.parts import Source, Study

NAMED = 4
COLOURS, LUMINANCE = 3, "luminance of colours, real numbers"


@dataclass(frozen=True)
class Wanted:
    """A file, how it is to be read, the regions that are wanted of it, and the types that do.

    Where it holds the known objects of another file, `masked` is that one.
    """

    path: Path
    where: str
    reading: ReadingSettings
    regions: tuple[tuple[int, int, int, int], ...] = ()
    types: tuple[str, ...] = ()  # of samples; empty where all do
    masked: Source | None = None


def refuse_unfit_files(study: Study, cache: HeaderCache) -> None:
    """Refuse files that cannot give what a study asks of them.

    Parameters
    ----------
    study : Study
        The checked study; only files that its runs use are looked at.
    cache : HeaderCache
        Remembered headers.

    Raises
    ------
    UserError
        If a file is no image, lacks a plane that is asked for, has several where none is chosen, is
        smaller than a region, contradicts the stated pixel size, or holds counts that the release
        cannot; all such files together, with what was found in them. Else, what
        `refuse_unfit_datasets` refuses.
    """
    wanted = list(_wanted_files(study))
    headers = cache.headers(dict.fromkeys(one.path for one in wanted))
    refused: dict[str, list[Wanted]] = defaultdict(list)
    positions = defaultdict(set)
    for one in wanted:
        if one.masked is not None:
            positions[one.path, one.masked.path].add(one.masked.reading.position)
    for one in wanted:
        header = headers[one.path]
        reason = str(header) if isinstance(header, UserError) else _refusal(header, one)
        if not reason and one.masked is not None:
            reason = _mask_refusal(header, headers[one.masked.path], one, one.masked)
            named = positions[one.path, one.masked.path]
            reason = reason or _positions_refusal(header, one, len(named), one.masked)
        if reason:
            refused[f"{one.where}: {reason}"].append(one)
    if refused:
        number = sum(map(len, refused.values()))
        lines = [f"{_names(files)}: {reason}" for reason, files in refused.items()]
        raise UserError(
            "\n  ".join([f"{number} of {len(wanted)} files cannot be read as asked:", *lines])
        )
    refuse_unfit_datasets(study, headers)


def _wanted_files(study: Study) -> Iterator[Wanted]:
    """Yield the files of the concepts and of the real class images that runs use."""
    concepts = {one.concept: None for run in study.runs.values() for one in run.concepts}
    types = _released_types(study)
    for concept in concepts:
        regions = defaultdict(list)
        for one in study.regions[concept]:
            if one.region is not None:
                regions[one.source].append(one.region)
        for name, source in study.sources[concept].items():
            where = f"concept `{concept}`"
            yield Wanted(source.path, where, source.reading, tuple(regions[name]), types)
            if source.masks is not None:
                told = f"{where}, masks of {source.path.name}"
                yield Wanted(source.masks.path, told, source.masks.reading, masked=source)
    for prior, paths in study.prior_files.items():
        reading = study.configuration.priors[prior].reading
        for path in paths:
            yield Wanted(path, f"priors.{prior}.images", reading)


def _released_types(study: Study) -> tuple[str, ...]:
    """Return the types of samples that the release can hold; empty where it holds all."""
    release = study.configuration.release
    if (release.format, release.scale) != ("png", "camera"):
        return ()
    from pipeline_lib.imaging.png_writing import PNG_TYPES  # its libraries are seldom needed

    return PNG_TYPES


def _refusal(header: Header, wanted: Wanted) -> str | None:
    """Return why a file cannot be read as it is wanted, with what it has; None if it can be."""
    reading = at_own_position(wanted.reading, header.own_position)
    try:
        layout = settle_axes(header.axes, header.shape, reading.axes)
    except UserError as error:
        return str(error)
    if wanted.masked is not None:
        reading = without_absent(layout, reading)
    try:
        select_planes(layout, header.channels, reading, header.positions)
    except UserError as error:
        names = "".join(
            f", {what} {', '.join(found)}"
            for what, axis, found in (
                ("channels", "C", header.channels),
                ("positions", "R", header.positions),
            )
            if found and header.length(axis) > 1
        )
        return f"{error} (found: axes {layout.axes} of shape {layout.shape}{names})"
    try:
        settle_pixel_size(header.pixel_size_um, reading.pixel_size_um)
    except UserError as error:
        return str(error)
    sides = dict(zip(layout.axes, layout.shape, strict=True))
    outside = _outside(wanted.regions, sides["Y"], sides["X"])
    luminance = reading.colour == "luminance" and sides.get("S", 1) >= COLOURS
    return outside or _unreleasable(LUMINANCE if luminance else header.dtype, wanted.types)


def _mask_refusal(
    masks: Header, field: Header | UserError, wanted: Wanted, source: Source
) -> str | None:
    """Return why a file cannot hold the known objects of a field; None if it can."""
    if isinstance(field, UserError) or _refusal(field, Wanted(source.path, "", source.reading)):
        return None  # the field itself is refused
    layout = settle_axes(masks.axes, masks.shape, wanted.reading.axes)
    found = header_to_planes(masks, without_absent(layout, wanted.reading))
    needed = header_to_planes(field, source.reading)
    if found != needed:
        return (
            f"its label images are {found} planes, rows and columns, and the field is {needed}: "
            "every plane needs a label image of its own size; correct the column `masks`"
        )
    if type_to_kind(masks.dtype) not in ("int", "uint"):
        return f"its samples are {masks.dtype}, and labels are whole numbers; save them as uint16"
    return None


def _positions_refusal(masks: Header, wanted: Wanted, named: int, source: Source) -> str | None:
    """Return why a file cannot hold the known objects of several positions; None if it can."""
    if named < 2 or "R" in settle_axes(masks.axes, masks.shape, wanted.reading.axes).axes:
        return None
    return (
        f"it holds no positions, and is named for {named} of {source.path.name}; give each a label "
        "image of its own in the column `masks`"
    )


def type_to_kind(dtype: str) -> str:
    """Return the kind of a type's name: `uint16` is of `uint`."""
    return dtype.rstrip("0123456789")


def _unreleasable(dtype: str, types: tuple[str, ...]) -> str | None:
    """Return why counts of a type cannot be released as asked; None if they can be."""
    if not types or dtype in types:
        return None
    said = (
        f"its samples are {dtype}, and `release: format: png` holds camera counts of "
        f"{' or '.join(types)} alone; set `release: format: ome-tiff`, or `release: scale: 8bit`"
    )
    grey = ", or, for grey that was saved as colours, leave `colour` out of `reading`"
    return said + (grey if dtype == LUMINANCE else "")


def _outside(regions: Iterable[tuple[int, int, int, int]], height: int, width: int) -> str | None:
    """Return why regions do not lie in a field; None if they do."""
    outside = [box_to_text(box) for box in regions if box[1] > height or box[3] > width]
    if not outside:
        return None
    return (
        f"region {' and '.join(outside)} reaches beyond the field, which is 0:{height},0:{width}; "
        "correct `region` in samples.tsv"
    )


def _names(files: list[Wanted]) -> str:
    """Return the names of files, the first ones of many."""
    names = [one.path.name for one in files]
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{len(names)} files ({', '.join(names[:NAMED])}, ...)"
