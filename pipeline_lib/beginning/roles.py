"""Groups to roles: how many are held out, and which; a single field is cut into parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import median_low

from pipeline_lib.beginning.cutting import SMALLEST
from pipeline_lib.imaging.splitting import regions_to_roles
from pipeline_lib.settings.splitting import SourceRegion, SplitSettings

GAP = 32  # pixels that the stage may drift while a field is imaged again
ENOUGH = 5  # independent groups on either side, for an interval


def strange_groups(groups: Sequence[str], remarks: Mapping[int, int]) -> set[str]:
    """Return groups of which the quality check has more to say than of most.

    Parameters
    ----------
    groups : sequence of str
        Of each picture.
    remarks : mapping
        How much there is to say of a picture, by its number; of those that were looked at.

    Returns
    -------
    set of str
        At most half of them.
    """
    most: dict[str, int] = {}
    for number, count in remarks.items():
        most[groups[number]] = max(count, most.get(groups[number], 0))
    usual = median_low(most.values())
    return {group for group, count in most.items() if count > usual}


def groups_to_roles(groups: Sequence[str], strange: Collection[str] = ()) -> dict[str, str]:
    """Give every group one role.

    Five independent groups on either side are what an interval needs: with ten groups or more
    there are that many held out. With few, most are trained on.

    Parameters
    ----------
    groups : sequence of str
        At least two different ones; names may stand several times.
    strange : collection of str
        Groups that change places with ordinary ones which are trained on: held-out pictures decide
        the verdict, and validation pictures which step goes on.

    Returns
    -------
    dict
        train, validation or holdout by group, drawn as the workflow draws.
    """
    names = list(dict.fromkeys(groups))
    validation, holdout = _shares(len(names))
    settings = SplitSettings(validation=validation / len(names), holdout=holdout / len(names))
    regions = [
        SourceRegion(source=f"s{number}", group=name, role="auto")
        for number, name in enumerate(names)
    ]
    roles = dict(zip(names, regions_to_roles(regions, settings), strict=True))
    return _with_strange_ones_trained_on(roles, strange)


def _with_strange_ones_trained_on(
    roles: Mapping[str, str], strange: Collection[str]
) -> dict[str, str]:
    """Return roles of which strange and ordinary groups changed theirs, as far as there are any."""
    given = dict(roles)
    ordinary = [group for group, role in roles.items() if role == "train" and group not in strange]
    for wanted in ("holdout", "validation"):
        misplaced = [group for group in roles if roles[group] == wanted and group in strange]
        for group, other in zip(misplaced, ordinary, strict=False):
            given[group], given[other] = given[other], given[group]
        ordinary = ordinary[len(misplaced) :]
    return given


def _shares(total: int) -> tuple[int, int]:
    """Return how many of all groups validate and are held out."""
    if total < 2 * ENOUGH:
        return (1 if total > ENOUGH else 0), max(1, round(total / 3))
    holdout = max(ENOUGH, round(total / 4))
    return min(round(0.15 * total), total - holdout - ENOUGH), holdout


def field_to_strips(height: int, width: int, least: int) -> dict[str, tuple[int, int, int, int]]:
    """Cut a field into a part to train on and one to hold out, along its longer side.

    Parameters
    ----------
    height, width : int
        Of the field.
    least : int
        Smallest side of a part, in pixels.

    Returns
    -------
    dict
        y0, y1, x0, x1 by role: a third is held out, more where `least` asks for it. Pixels between
        the two are in neither, so that fields which drifted do not share any on two sides.
    """
    long = max(height, width)
    start = long - min(max(least, long // 3), side_to_part(long))
    end = start - _side_to_gap(long)
    if width >= height:
        return {"train": (0, height, 0, end), "holdout": (0, height, start, width)}
    return {"train": (0, end, 0, width), "holdout": (start, height, 0, width)}


def side_to_part(long: int) -> int:
    """Return how long both parts of a field can be, of whose longer side some lies between."""
    return (long - _side_to_gap(long)) // 2


def _side_to_gap(long: int) -> int:
    """Return how many pixels lie between the parts: less where no tile would fit beside."""
    return min(GAP, max(0, long - 2 * SMALLEST))


def count_roles(roles: Mapping[str, str]) -> dict[str, int]:
    """Return how many groups have each role."""
    listed = list(roles.values())
    return {role: listed.count(role) for role in ("train", "validation", "holdout")}
