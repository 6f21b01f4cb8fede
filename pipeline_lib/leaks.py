"""What stands on two sides of a run: a file by two names, its copy, or a group in two concepts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import SourceRegion

Contents = Callable[[Path], str]


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


def refuse_two_sides(
    run: str, placed: Sequence[PlacedRegion], roles: Sequence[str], contents: Contents
) -> None:
    """Refuse a file, a copy of it, or a group that has different roles in two concepts of a run.

    A run trains its concepts together: what one holds out, another must not train on. Within a
    concept the split and the quality check refuse this themselves, and let regions of one field
    have roles of their own.

    Parameters
    ----------
    run : str
        Its name.
    placed : sequence of PlacedRegion
        Regions of all its concepts.
    roles : sequence of str
        The role of each, drawn ones too.
    contents : callable
        Returns the hash of a file; asked of files that may be copies alone.

    Raises
    ------
    UserError
        With both rows and their roles.
    """
    for keys, named in (
        ([(path_to_identity(one.path), one.position) for one in placed], _told),
        ([one.region.group for one in placed], lambda _, one: f"group {one.region.group!r}"),
        (_copies(placed, contents), _told_copy),
    ):
        first: dict[object, dict[tuple[str, str], PlacedRegion]] = {}
        for key, one, role in zip(keys, placed, roles, strict=True):
            seen = first.setdefault(key, {})
            for (concept, other), earlier in seen.items():
                if concept != one.concept and other != role:
                    name = named(earlier, one)
                    raise UserError(_on_two_sides(run, name, (earlier, other), (one, role)))
            seen.setdefault((one.concept, role), one)


def _copies(placed: Sequence[PlacedRegion], contents: Contents) -> list[object]:
    """Return what is the same for all copies of a file; hashes where one concept's are as long.

    Empty files are no copies: they are refused as no images, which tells more.
    """
    sizes = [one.path.stat().st_size for one in placed]
    concepts: dict[int, set[str]] = defaultdict(set)
    for one, size in zip(placed, sizes, strict=True):
        concepts[size].add(one.concept)
    return [
        (contents(one.path), one.position) if size and len(concepts[size]) > 1 else number
        for number, (one, size) in enumerate(zip(placed, sizes, strict=True))
    ]


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


def _told(_: PlacedRegion, one: PlacedRegion) -> str:
    """Return the name of a region's file, and of its position in it."""
    name = f"the file {one.path.name}"
    return name if one.position is None else f"position {one.position} of {name}"


def _told_copy(earlier: PlacedRegion, one: PlacedRegion) -> str:
    """Return the names of two files that are copies of each other."""
    return f"{_told(earlier, one)}, a copy of {earlier.path.name},"


def _short(where: str) -> str:
    """Return the row without its sheet."""
    return where.rpartition(": ")[2]
