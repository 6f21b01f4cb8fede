"""Which files show one place of the specimen, as far as their names tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

MADE_BY = {
    # Harmony: row, column, field, then focal plane and channel.
    r"(r\d+c\d+f\d+)p\d+(?:-ch\d+(?:sk\d+)?(?:fk\d+)?(?:fl\d+)?)?": r"\1p*",
    # CellVoyager: time point, field, line, action, focal plane, channel.
    r"T\d{4}(F\d{3}L\d{2})A\d{2}Z\d{2}C\d{2}": r"T*\1*",
    # Micro-Manager 1.4: time point, channel, focal plane.
    r"^img_\d{9}_(.+)_\d{3}(?=\.|$)": r"img_*_\1_*",
    # Incucyte: time since the start, or the date.
    r"\d{1,3}d\d{1,2}h\d{1,2}m": "*",
    r"\d{4}y\d{2}m\d{2}d[_-]\d{1,2}h\d{2}m": "*",
}
TIME = r"timepoint|time|frame|tp"
DEPTH = r"slice|plane|focus"
CHANNEL = r"channel|chan|ch"
ALWAYS = {
    rf"(?i)(?<![a-z])({TIME}|{DEPTH}|{CHANNEL})([-_ =]?)\d+(?!\d)": r"\1\2*",
    r"(?i)(?<![a-z])([tz])([-_=]?)\d+(?![\da-z])": r"\1\2*",
    r"(?i)(?<![a-z])([tz])(=?)\d+(?=[tzcspfxm]|xy|ch)": r"\1\2*",
    r"(?i)(?<![a-z0-9])\d+(?:\.\d+)?( ?)(hours?|hrs?|h|min|mins|sec)(?![a-z0-9])": r"*\1\2",
    r"(?i)(?<![a-z0-9])(?:brightfield|bf|dic|phase|ph|trans|dapi|hoechst|gfp|rfp|yfp|cfp|fitc"
    r"|tritc|mcherry|cy[35])(?![a-z0-9])": "*",
}
# These may be all that a name says of the place: C3 is a well, too, and stamps tell snapshots.
WITH_POSITION = {
    r"(?i)(?<![a-z])(c)(=?)\d{1,2}(?![\da-z])": r"\1\2*",
    r"(?i)(?<![a-z0-9])w\d(?:[0-9a-f]{8}-[0-9a-f-]{27}|[a-z][a-z0-9]*|)(?=[_.\- ]|$)": "w*",
    r"(?<!\d)(\d{8}|\d{4}[-_.]\d{2}[-_.]\d{2})([T_ -])\d{2}[-.:h]?\d{2}(?:[-.:m]?\d{2}s?)?(?!\d)": (
        r"\1\2*"
    ),
}
POSITION = re.compile(
    r"(?i)(?<![a-z0-9])[a-p]\d{1,2}(?!\d)"
    r"|(?<![a-z])(?:position|pos|xy|site|field|fov|well|scene|series|[sfpm])[-_ =]?\d+"
)


def paths_to_groups(paths: Iterable[str]) -> dict[str, str]:
    """Return the group that each file's name proposes: the place of the specimen that it shows.

    What tells time points, frames, focal planes and channels apart becomes a star; wells,
    positions, plates, days and counters stay. A name decides alone, so that further files change no
    group.

    Parameters
    ----------
    paths : iterable of str
        As the sample sheet gives them; folders count as names do.

    Returns
    -------
    dict
        The group by path: the path itself where its name tells nothing.

    Examples
    --------
    >>> paths_to_groups(["plate1/A01_t001.tif", "plate1/A01_t002.tif", "cells.tif"])
    {'plate1/A01_t001.tif': 'plate1/A01_t*.tif', 'plate1/A01_t002.tif': 'plate1/A01_t*.tif', \
'cells.tif': 'cells.tif'}
    """
    return {path: _path_to_group(path) for path in paths}


def places_to_groups(groups: Mapping[str, str], places: Mapping[str, str | None]) -> dict[str, str]:
    """Return groups of which those became one that the stage's place makes one.

    Files of one folder count that have one place, if their folder has several: coordinates that are
    the same in all files say that nobody recorded them.

    Parameters
    ----------
    groups : mapping
        Of `paths_to_groups`.
    places : mapping
        Where the stage stood, by path; None where that is not known.

    Returns
    -------
    dict
        Group by path; joined groups bear the first of their names.
    """
    by_folder: dict[str, dict[str, list[str]]] = {}
    for path, place in places.items():
        if place is not None:
            folder = PurePath(path).parent.as_posix()
            by_folder.setdefault(folder, {}).setdefault(place, []).append(groups[path])
    named = dict.fromkeys(groups.values())
    first = {name: name for name in named}
    for found in by_folder.values():
        for alike in found.values() if len(found) > 1 else ():
            joined = {first[name] for name in alike}
            if len(joined) > 1:
                name = min(joined)
                first = {key: name if other in joined else other for key, other in first.items()}
    return {path: first[group] for path, group in groups.items()}


def _path_to_group(path: str) -> str:
    """Return the group of one path."""
    for patterns in (MADE_BY, ALWAYS):
        path = "/".join(_starred(part, patterns) for part in PurePath(path).as_posix().split("/"))
    for pattern in WITH_POSITION:
        starred = "/".join(
            _starred(part, {pattern: WITH_POSITION[pattern]}) for part in path.split("/")
        )
        if any(POSITION.search(part) for part in starred.split("/")):
            path = starred
    return path


def _starred(part: str, patterns: dict[str, str]) -> str:
    """Return a folder's or a file's name with stars in the place of what patterns match."""
    for pattern, star in patterns.items():
        part = re.sub(pattern, star, part)
    return part


def groups_to_words(groups: dict[str, str], shown: int = 6) -> str | None:
    """Return a sentence on the groups of several files that names proposed.

    Parameters
    ----------
    groups : dict
        Group by path, those that were proposed.
    shown : int
        At most this many are named.

    Returns
    -------
    str or None
        None where no group has two files.
    """
    names = list(groups.values())
    several = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if not several:
        return None
    told = [f"{name} ({names.count(name)} files)" for name in several[:shown]]
    rest = f" and {len(several) - shown} more" if len(several) > shown else ""
    return (
        f"groups proposed from file names: {', '.join(told)}{rest}; files of one group stay on one "
        "side; name a `group` in samples.tsv where this is wrong"
    )
