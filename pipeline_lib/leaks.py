"""What stands on two sides of a run: a file by two names, or a group in two concepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import SourceRegion


@dataclass(frozen=True)
class PlacedRegion:
    """A region with the row of samples.tsv that names it."""

    concept: str
    where: str
    path: Path
    region: SourceRegion
    position: str | int | None = None


def refuse_two_names(placed: Iterable[PlacedRegion]) -> None:
    """Refuse a file that a concept names in two ways: by a link, or by a path of another kind.

    Parameters
    ----------
    placed : iterable of PlacedRegion
        All regions of one concept.

    Raises
    ------
    UserError
        With both rows.
    """
    seen: dict[object, PlacedRegion] = {}
    for one in placed:
        earlier = seen.setdefault((path_to_identity(one.path), one.position), one)
        if earlier.region.source != one.region.source:
            raise UserError(
                f"{one.where}: path: {one.path} is the same file as {earlier.path} of "
                f"{_short(earlier.where)}; name a file by one path, so that its pixels cannot "
                "stand on two sides"
            )


def path_to_identity(path: Path) -> tuple[int, int]:
    """Return what is the same for all names of one file, links followed: device and number."""
    status = path.stat()
    return status.st_dev, status.st_ino


def refuse_two_sides(run: str, placed: Sequence[PlacedRegion], roles: Sequence[str]) -> None:
    """Refuse a file or a group that has different roles in two concepts of a run.

    A run trains its concepts together: what one holds out, another must not train on. Within a
    concept the split refuses this itself, and lets regions of one field have roles of their own.

    Parameters
    ----------
    run : str
        Its name.
    placed : sequence of PlacedRegion
        Regions of all its concepts.
    roles : sequence of str
        The role of each, drawn ones too.

    Raises
    ------
    UserError
        With both rows and their roles.
    """
    keys = [
        [((path_to_identity(one.path), one.position), _told(one)) for one in placed],
        [(one.region.group, f"group {one.region.group!r}") for one in placed],
    ]
    for listed in keys:
        first: dict[object, dict[tuple[str, str], PlacedRegion]] = {}
        for (key, name), one, role in zip(listed, placed, roles, strict=True):
            seen = first.setdefault(key, {})
            for (concept, other), earlier in seen.items():
                if concept != one.concept and other != role:
                    raise UserError(_on_two_sides(run, name, (earlier, other), (one, role)))
            seen.setdefault((one.concept, role), one)


def _on_two_sides(
    run: str, name: str, earlier: tuple[PlacedRegion, str], later: tuple[PlacedRegion, str]
) -> str:
    """Return the words that refuse a run."""
    told = [
        f"{role} in concept `{one.concept}` ({_short(one.where)}"
        f"{', drawn' if one.region.role == 'auto' else ''})"
        for one, role in (earlier, later)
    ]
    sheet = later[0].where.rpartition(":")[0]
    return (
        f"{sheet}: {name} is {told[0]} and {told[1]}, and run `{run}` trains both together: what "
        "is held out would be trained on; give both rows one `role`, or train the concepts in runs "
        "of their own"
    )


def _told(one: PlacedRegion) -> str:
    """Return the name of a region's file, and of its position in it."""
    name = f"the file {one.path.name}"
    return name if one.position is None else f"position {one.position} of {name}"


def _short(where: str) -> str:
    """Return the row without its sheet."""
    return where.rpartition(": ")[2]
