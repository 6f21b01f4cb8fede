"""Quality of the fields of one concept: figures for every plane, a verdict, and the mend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.dust import details_to_spots, plane_to_detail, shape_to_factor
from pipeline_lib.imaging.near_duplicates import (
    outlines_to_near_duplicates,
    plane_to_outline,
    shapes_to_factor,
    shared_box,
)
from pipeline_lib.imaging.plane_figures import Figures, figures_to_field, plane_to_figures
from pipeline_lib.imaging.quality_findings import (
    Finding,
    figures_to_findings,
    near_duplicate_to_finding,
    spots_to_finding,
)
from pipeline_lib.imaging.same_places import SamePlace
from pipeline_lib.imaging.stacks import PlaneSource
from pipeline_lib.imaging.usual_figures import figures_to_usual
from pipeline_lib.settings.quality import QualitySettings

ACCEPTED, WARNED, REFUSED = "accepted", "warned", "refused"
COMPARED_PLANES = 400
COMPARED_FOR_DUST = 24


@dataclass(frozen=True)
class Verdict:
    """The judgement of one plane of one field."""

    source: str
    plane: int
    figures: Figures
    findings: tuple[Finding, ...]
    overruled: bool

    @property
    def word(self) -> str:
        """`accepted`, `warned` or `refused`, whether or not overruled."""
        if any(finding.refused for finding in self.findings):
            return REFUSED
        return WARNED if self.findings else ACCEPTED

    @property
    def usable(self) -> bool:
        """Whether later stages may use the plane."""
        return self.word != REFUSED or self.overruled


@dataclass(frozen=True)
class Quality:
    """What the check of a concept found: a verdict for every plane, and pairs of one place."""

    verdicts: tuple[Verdict, ...]
    same_places: tuple[SamePlace, ...]


@dataclass(frozen=True)
class _Measured:
    """One plane, and what of it is compared with other planes."""

    source: str
    plane: int
    shape: tuple[int, ...]
    figures: Figures
    outline: npt.NDArray[np.float32] | None
    detail: npt.NDArray[np.float32] | None

    @property
    def name(self) -> str:
        return f"{self.source} plane {self.plane}"


def fields_to_quality(
    fields: Mapping[str, PlaneSource],
    thresholds: QualitySettings,
    accepted: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Quality:
    """Judge all fields of a concept, with one plane of a field in memory at a time.

    Parameters
    ----------
    fields : mapping
        Planes (N, Y, X) in camera counts by source, an array or an open stack.
    thresholds : QualitySettings
        What is warned of and what is refused.
    accepted : collection of str
        Sources whose refusal a person has overruled.
    groups : mapping, optional
        What tells by source which fields stay together; by default each is on its own.
    threads : int
        Fields that are measured at once.

    Returns
    -------
    Quality
        Verdicts in the order of the fields and planes.
    """
    groups = {source: source for source in fields} | dict(groups or {})
    measured = _measure(fields, groups, threads)
    if not measured:
        return Quality((), ())
    usual = figures_to_usual([one.figures for one in measured])
    same_places = _same_places(measured, thresholds)
    shared = _shared_findings(measured, same_places, groups)
    seen: dict[str, str] = {}
    verdicts = []
    for one in measured:
        found = figures_to_findings(one.figures, thresholds, usual, seen.get(one.figures.sha256))
        seen.setdefault(one.figures.sha256, one.name)
        findings = sorted([*found, *shared[one.name]], key=lambda finding: not finding.refused)
        overruled = any(finding.refused for finding in findings) and one.source in accepted
        verdicts.append(Verdict(one.source, one.plane, one.figures, tuple(findings), overruled))
    return Quality(tuple(verdicts), same_places)


def _measure(
    fields: Mapping[str, PlaneSource], groups: Mapping[str, str], threads: int
) -> list[_Measured]:
    """Return every plane with its figures, reading each once."""
    if not fields:
        return []
    factor = shapes_to_factor([field.shape[1:] for field in fields.values()])
    most = max(1, COMPARED_PLANES // len(fields))
    for_dust = _chosen_for_dust(fields, groups)

    def measure(source: str) -> list[_Measured]:
        return _measure_field(source, fields[source], factor, most, source in for_dust)

    with ThreadPoolExecutor(threads) as pool:
        return [one for planes in pool.map(measure, fields) for one in planes]


def _measure_field(
    source: str, field: PlaneSource, factor: int, most: int, for_dust: bool
) -> list[_Measured]:
    """Return the planes of a field with their figures, and what of some is compared with others."""
    compared = set(even_choice(field.shape[0], most).tolist())
    planes, ends = [], []
    for number, plane in enumerate(field):
        outline = plane_to_outline(plane, factor) if number in compared else None
        detail = plane_to_detail(plane) if number == 0 and for_dust else None
        figures = plane_to_figures(plane)
        planes.append(_Measured(source, number, plane.shape, figures, outline, detail))
        ends.append((plane.min(), plane.max()))
    whole = figures_to_field([one.figures for one in planes], ends)
    return [replace(one, figures=own) for one, own in zip(planes, whole, strict=True)]


def _chosen_for_dust(fields: Mapping[str, PlaneSource], groups: Mapping[str, str]) -> set[str]:
    """Return one source of each group, at most 24, all of the most frequent shape."""
    shapes = [field.shape[1:] for field in fields.values()]
    shape = max(shapes, key=shapes.count)
    by_group: dict[str, str] = {}
    for source, field in fields.items():
        if field.shape[1:] == shape:
            by_group.setdefault(groups[source], source)
    sources = list(by_group.values())
    return {sources[number] for number in even_choice(len(sources), COMPARED_FOR_DUST)}


def _same_places(
    measured: Sequence[_Measured], thresholds: QualitySettings
) -> tuple[SamePlace, ...]:
    """Return the pairs of planes of different sources that show one place."""
    compared = [one for one in measured if one.outline is not None]
    factor = shapes_to_factor([one.shape for one in measured])
    pairs = outlines_to_near_duplicates(
        [one.outline for one in compared],
        factor,
        thresholds.near_duplicate_correlation,
        [one.source for one in compared],
    )
    return tuple(
        SamePlace(*(_place(compared[first]) + _place(compared[second])), *rest)
        for first, second, *rest in pairs
    )


def _place(one: _Measured) -> tuple[str, int]:
    """Return source and plane."""
    return one.source, one.plane


def _shared_findings(
    measured: Sequence[_Measured],
    same_places: Sequence[SamePlace],
    groups: Mapping[str, str],
) -> dict[str, list[Finding]]:
    """Return by plane what other fields tell of it: dust, and the strongest near-duplicate."""
    found: dict[str, list[Finding]] = {one.name: [] for one in measured}
    compared = [one for one in measured if one.detail is not None]
    if compared:
        shape = compared[0].shape
        spots = details_to_spots([one.detail for one in compared], shape_to_factor(shape))
        dust = spots_to_finding(spots, len(compared))
        for one in measured:
            if dust and one.shape == shape:
                found[one.name].append(dust)
    shapes = {_place(one): one.shape for one in measured}
    hashes = {_place(one): one.figures.sha256 for one in measured}
    strongest: dict[tuple[str, int], tuple[float, Finding]] = {}
    for pair in same_places:
        here, there = (pair.source, pair.plane), (pair.other_source, pair.other_plane)
        together = groups[pair.source] == groups[pair.other_source]
        if together or hashes[here] == hashes[there]:
            continue
        for one, other, dy, dx in (
            (here, there, pair.dy, pair.dx),
            (there, here, -pair.dy, -pair.dx),
        ):
            box = shared_box(shapes[one], shapes[other], dy, dx)
            name = f"{other[0]} plane {other[1]}"
            finding = near_duplicate_to_finding(name, pair.correlation, box)
            if abs(pair.correlation) > strongest.get(one, (0.0,))[0]:
                strongest[one] = (abs(pair.correlation), finding)
    for (source, plane), (_, finding) in strongest.items():
        found[f"{source} plane {plane}"].append(finding)
    return found


def verdict_to_row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a row of the quality table."""
    return {
        "source": verdict.source,
        "plane": verdict.plane,
        "verdict": verdict.word,
        **asdict(verdict.figures),
        "reason": "; ".join(finding.reason for finding in verdict.findings),
        "mend": "; ".join(finding.mend for finding in verdict.findings),
        "overruled": "yes" if verdict.overruled else "no",
    }


VERDICT_COLUMNS = (
    "source",
    "plane",
    "verdict",
    *Figures.__dataclass_fields__,
    "reason",
    "mend",
    "overruled",
)


def usable_planes(rows: Sequence[dict[str, Any]]) -> set[tuple[str, int]]:
    """Return source and plane of all rows of a quality table that later stages may use."""
    return {
        (str(row["source"]), int(row["plane"]))
        for row in rows
        if row["verdict"] != REFUSED or row["overruled"] == "yes"
    }
