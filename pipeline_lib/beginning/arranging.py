"""Pictures to concepts and groups: what shows one kind, and what is not independent."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from os.path import commonpath
from pathlib import PurePath

from pipeline_lib.beginning.finding import Picture
from pipeline_lib.beginning.roles import ENOUGH
from pipeline_lib.imaging.group_names import POSITION, paths_to_groups, places_to_groups

FEWEST, MOST_CLASSES = 3, 8
SAME_PIXEL_SIZE = 1.01
WELL = re.compile(r"(?<![A-Za-z0-9])[A-P]\d{2}(?!\d)")
PLACES = re.compile(
    r"(?i)^[\W_\d]*(?:(?:well|pos(?:ition)?|plate|day|date|field|fov|site|xy|series|scene|slide|dish"
    r"|run|exp(?:eriment)?|rep(?:licate)?|time(?:point)?|batch|jan|feb|mar|apr|may|jun|jul|aug|sep"
    r"|oct|nov|dec|[a-z](?![a-z]))[\W_\d]*)*$"
)


def name_to_slug(name: str) -> str:
    """Return a name as the configuration allows it."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "images"
    # A run of these names would share a folder with the study's page, or with an untuned base.
    return f"images-{slug}" if slug == "study" or slug.startswith("base-") else slug


def pictures_to_concepts(pictures: Sequence[Picture], name: str) -> dict[str, list[Picture]]:
    """Share pictures out to concepts: by folders that look like kinds, and by magnification.

    Parameters
    ----------
    pictures : sequence of Picture
        All of a folder.
    name : str
        Name of the folder, for a single concept.

    Returns
    -------
    dict
        By the concept's name. Folders named like wells, positions, plates or days are no kinds.
    """
    kinds = _folders_of_kinds(pictures) or {name_to_slug(name): list(pictures)}
    concepts: dict[str, list[Picture]] = {}
    for kind, members in kinds.items():
        sizes = _by_pixel_size(members)
        for size, ones in sizes.items():
            label = kind if len(sizes) == 1 else name_to_slug(f"{kind}-{size:.3g}um")
            concepts.setdefault(label, []).extend(ones)
    return concepts


def _folders_of_kinds(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """Return the pictures by the folder that says their kind; none where no folders do."""
    paths = [PurePath(picture.path) for picture in pictures]
    shared = commonpath([path.parent for path in paths])
    inner = [path.relative_to(shared) for path in paths]
    found: dict[str, list[Picture]] = defaultdict(list)
    for path, picture in zip(inner, pictures, strict=True):
        if len(path.parts) > 1:
            found[path.parts[0]].append(picture)
    whole = sum(map(len, found.values())) == len(pictures)
    wordy = not any(PLACES.match(name) for name in found)
    distinct = len({re.sub(r"[\d\W_]+", "", name.lower()) for name in found}) == len(found)
    distinct = distinct and len(set(map(name_to_slug, found))) == len(found)
    enough = all(len(listed) >= FEWEST for listed in found.values())
    if whole and wordy and distinct and enough and 2 <= len(found) <= MOST_CLASSES:
        return {name_to_slug(name): listed for name, listed in found.items()}
    return {}


def _by_pixel_size(pictures: Sequence[Picture]) -> dict[float, list[Picture]]:
    """Return pictures by the width of a pixel; those that do not say are with the most."""
    found: dict[float, list[Picture]] = {}
    unknown = []
    for picture in pictures:
        size = picture.header.pixel_size_um
        if size is None:
            unknown.append(picture)
            continue
        same = (one for one in found if max(one, size) / min(one, size) <= SAME_PIXEL_SIZE)
        found.setdefault(next(same, size), []).append(picture)
    if not found:
        return {0.0: unknown}
    max(found.values(), key=len).extend(unknown)
    return found


# --- groups --------------------------------------------------------------------------------------


def pictures_to_groups(pictures: Sequence[Picture]) -> list[str]:
    """Return the place of the specimen that each picture shows, by names and the stage's place.

    Positions of a file are places of their own here, for a person looks at what is proposed. Sites
    of one well stay together where there are wells enough.
    """
    named = paths_to_groups([picture.path for picture in pictures])
    proposed = places_to_groups(named, {one.path: one.header.place for one in pictures})
    wells = [_path_to_well(picture.path) for picture in pictures]
    if all(wells) and len(set(wells)) >= 2 * ENOUGH:
        return [str(well) for well in wells]
    return [
        proposed[picture.path] + (f" {picture.position}" if picture.position else "")
        for picture in pictures
    ]


def names_tell_places(groups: Sequence[str], pictures: Sequence[Picture]) -> bool:
    """Tell whether names say of every picture which place it shows, or some are of one place."""
    several = len(set(groups)) < len(groups)
    return several or all(POSITION.search(picture.path) for picture in pictures)


def _path_to_well(path: str) -> str | None:
    """Return the folder and the well that a path names, None without one."""
    found = WELL.findall(path)
    return (PurePath(path).parent / found[-1]).as_posix() if found else None


def merge_groups(groups: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return groups of which those became one that show the same place.

    Parameters
    ----------
    groups : sequence of str
        Of the pictures.
    pairs : sequence of tuple
        Numbers of pictures that are nearly the same.

    Returns
    -------
    list of str
        Each merged group has the name of its first member.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    order = {group: number for number, group in reversed(list(enumerate(groups)))}
    for first, second in pairs:
        one, other = sorted((root(groups[first]), root(groups[second])), key=order.__getitem__)
        parent[other] = one
    return [root(group) for group in groups]
