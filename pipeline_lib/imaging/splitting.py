"""Who trains, who validates, who is held out: by group or region, before anything is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from pipeline_lib.imaging.group_names import groups_to_words
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import ROLES, SourceRegion, SplitSettings

TRAIN, VALIDATION, HOLDOUT = ROLES
AUTO = "auto"
FEW_GROUPS = 4
SHOWN = 3
LEAST_GROUPS_FOR_VALIDATION = 3


@dataclass(frozen=True)
class SplitRow:
    """A region of one plane and its role; bounds in pixels of the field, ends excluded."""

    source: str
    plane: int
    y0: int
    y1: int
    x0: int
    x1: int
    group: str
    role: str
    caption: str


SPLIT_COLUMNS = tuple(SplitRow.__dataclass_fields__)


@dataclass(frozen=True)
class Split:
    """The rows of a split.

    Attributes
    ----------
    rows : tuple of SplitRow
        One for every region of every plane that is used.
    one_field : bool
        Whether all roles come from one source: regions of one field are not independent, so that
        differences between them cannot be told from chance.
    warnings : tuple of str
        What a person should know.
    """

    rows: tuple[SplitRow, ...]
    one_field: bool
    warnings: tuple[str, ...]


def fields_to_split(
    shapes: Mapping[str, tuple[int, int, int]],
    regions: Sequence[SourceRegion],
    usable: Collection[tuple[str, int]],
    settings: SplitSettings,
    training_planes: int | None = None,
) -> Split:
    """Give every region its role.

    Parameters
    ----------
    shapes : mapping
        Planes, height and width of each source's field.
    regions : sequence of SourceRegion
        Rows of the sheet, globs expanded.
    usable : collection of (str, int)
        Source and plane of all that the quality check lets pass.
    settings : SplitSettings
        Shares and seed of the draw for role `auto`.
    training_planes : int, optional
        Use only this many planes for training.

    Returns
    -------
    Split
        Rows in the order of the regions, planes ascending.

    Raises
    ------
    UserError
        If regions overlap or leave their field, if a group would stand on two sides, if `auto` has
        too few groups, or if nothing is left for training or hold-out.
    """
    boxes = [_region_to_box(region, shapes) for region in regions]
    _refuse_overlaps(regions, boxes)
    roles = regions_to_roles(regions, settings)
    rows = [
        SplitRow(region.source, plane, *box, region.group, role, region.caption or "")
        for region, box, role in zip(regions, boxes, roles, strict=True)
        for plane in range(shapes[region.source][0])
        if (region.source, plane) in usable
    ]
    refuse_missing_roles(roles)
    _refuse_empty_roles(rows)
    chosen = _choose_training_planes(rows, training_planes, settings.seed)
    sources = {role: {row.source for row in chosen if row.role == role} for role in ROLES}
    one_field = len(set.union(*sources.values())) == 1
    proposed = {region.source: region.group for region in regions if region.group_proposed}
    words = [groups_to_words(proposed), *_warnings(chosen, one_field)]
    return Split(tuple(chosen), one_field, tuple(filter(None, words)))


# --- regions -------------------------------------------------------------------------------------


def _region_to_box(
    region: SourceRegion, shapes: Mapping[str, tuple[int, int, int]]
) -> tuple[int, int, int, int]:
    """Return y0, y1, x0, x1 of a region, checked against its field."""
    _, height, width = shapes[region.source]
    if region.region is None:
        return 0, height, 0, width
    y0, y1, x0, x1 = region.region
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise UserError(
            f"{region.source}: region {y0}:{y1},{x0}:{x1} does not lie inside the field, which is "
            f"0:{height},0:{width}; correct `region` in samples.tsv"
        )
    return region.region


def _refuse_overlaps(
    regions: Sequence[SourceRegion], boxes: Sequence[tuple[int, int, int, int]]
) -> None:
    """Refuse regions of one source that share pixels."""
    by_source: dict[str, list[tuple[int, int, int, int]]] = {}
    for region, box in zip(regions, boxes, strict=True):
        by_source.setdefault(region.source, []).append(box)
    for source, listed in by_source.items():
        for one, other in combinations(listed, 2):
            if boxes_overlap(one, other):
                raise UserError(
                    f"{source}: regions {box_to_text(one)} and {box_to_text(other)} overlap; the "
                    "same pixels must not stand in two rows of samples.tsv (an empty `region` is "
                    "the whole field)"
                )


def boxes_overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Tell whether two boxes, y0, y1, x0, x1 with ends excluded, share a pixel."""
    rows = max(one[0], other[0]) < min(one[1], other[1])
    return rows and max(one[2], other[2]) < min(one[3], other[3])


def box_to_shape(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return height and width of a box y0, y1, x0, x1."""
    return box[1] - box[0], box[3] - box[2]


def box_to_text(box: tuple[int, int, int, int]) -> str:
    """Return a box, y0, y1, x0, x1, as samples.tsv writes it."""
    return f"{box[0]}:{box[1]},{box[2]}:{box[3]}"


def row_to_name(row: SplitRow) -> str:
    """Return the words for a row's region in messages."""
    return f"region {box_to_text((row.y0, row.y1, row.x0, row.x1))} of {row.source} ({row.role})"


# --- roles ---------------------------------------------------------------------------------------


def regions_to_roles(regions: Sequence[SourceRegion], settings: SplitSettings) -> tuple[str, ...]:
    """Return the role of every region: its own, its group's, or a drawn one.

    Groups without a role of their own are put in an order that their names and the seed decide,
    and shared out from its beginning: hold-out, validation, then training. The order of the sheet
    does not matter, and a new group moves few others.

    Parameters
    ----------
    regions : sequence of SourceRegion
        Rows of the sheet.
    settings : SplitSettings
        Shares of all groups, and the seed.

    Returns
    -------
    tuple of str
        train, validation or holdout for each region.

    Raises
    ------
    UserError
        If the members of a group have different roles, other than as regions of one source, or if
        there are too few groups to draw from.
    """
    fixed = _fixed_roles(regions)
    free = sorted({region.group for region in regions} - set(fixed))
    drawn = _draw_roles(free, fixed, settings)
    known = {**drawn, **fixed}
    return tuple(region.role if region.role != AUTO else known[region.group] for region in regions)


def _fixed_roles(regions: Sequence[SourceRegion]) -> dict[str, str]:
    """Return the role of every group for which the sheet gives one."""
    fixed = {}
    by_group: dict[str, list[SourceRegion]] = {}
    for region in regions:
        by_group.setdefault(region.group, []).append(region)
    for group, members in sorted(by_group.items()):
        roles = {member.role for member in members} - {AUTO}
        if len(roles) > 1:
            _refuse_group_on_two_sides(group, members)
        if roles:
            fixed[group] = min(roles)
    return fixed


def _refuse_group_on_two_sides(group: str, members: Sequence[SourceRegion]) -> None:
    """Refuse a group with several roles, unless it is one source cut into regions."""
    roles = ", ".join(sorted({member.role for member in members}))
    one_source = len({member.source for member in members}) == 1
    if not one_source or any(member.region is None for member in members):
        raise UserError(
            f"group {group!r} has the roles {roles}; members of a group look alike and must share "
            "one role; give them one role or different groups in samples.tsv"
        )
    if any(member.role == AUTO for member in members):
        raise UserError(
            f"group {group!r} is a field cut into regions with the roles {roles}; give each of its "
            "regions a role instead of `auto`"
        )


def _draw_roles(
    free: Sequence[str], fixed: Mapping[str, str], settings: SplitSettings
) -> dict[str, str]:
    """Share groups out among hold-out, validation and training."""
    total = len(free) + len(fixed)
    if free and total == 1:
        raise UserError(
            f"there is one group only, {free[0]!r}, and a group is never cut in two by itself: add "
            "fields, name more `group`s, or list the field several times in samples.tsv with a "
            "`region` and a `role` each"
        )
    given = list(fixed.values())
    if settings.leave_one_out is not None:
        return _leave_out(settings.leave_one_out, free, given, settings)
    holdout = _wanted(settings.holdout, total) - given.count(HOLDOUT)
    validation = 0
    if total >= LEAST_GROUPS_FOR_VALIDATION:
        validation = _wanted(settings.validation, total) - given.count(VALIDATION)
    spare = len(free) - (0 if TRAIN in given else 1)
    holdout = max(0, min(holdout, spare))
    validation = max(0, min(validation, spare - holdout))
    order = sorted(free, key=lambda group: _draw(settings.seed, group))
    roles = [HOLDOUT] * holdout + [VALIDATION] * validation
    return dict(zip(order, roles + [TRAIN] * (len(order) - len(roles)), strict=True))


def _leave_out(
    wanted: str | int, free: Sequence[str], given: Sequence[str], settings: SplitSettings
) -> dict[str, str]:
    """Hold out one group; of the others, the same ones validate whichever it is, but for it."""
    found = str(wanted)
    if found not in free and isinstance(wanted, int):
        _refuse_number_like_names(wanted, free)
        if 0 <= wanted < len(free):
            found = free[wanted]
    if found not in free or HOLDOUT in given:
        names = ", ".join(f"{number} {name}" for number, name in enumerate(free)) or "none"
        raise UserError(
            f"`leave_one_out` is {wanted!r}; needed is one of the groups with role `auto`, by "
            f"number or name ({names}), and none with role holdout"
        )
    order = sorted(set(free) - {found}, key=lambda group: _draw(settings.seed, group))
    total = len(free) + len(given)
    validation = 0
    if total >= LEAST_GROUPS_FOR_VALIDATION:
        validation = _wanted(settings.validation, total) - given.count(VALIDATION)
    validation = max(0, min(validation, len(order) - (0 if TRAIN in given else 1)))
    roles = [VALIDATION] * validation + [TRAIN] * (len(order) - validation)
    return {found: HOLDOUT, **dict(zip(order, roles, strict=True))}


def _refuse_number_like_names(wanted: int, free: Sequence[str]) -> None:
    """Refuse to count where a name is the number but for zeros: YAML takes a bare 01 as 1."""
    alike = [group for group in free if group.isdecimal() and int(group) == wanted]
    if alike:
        raise UserError(
            f"`leave_one_out` is the number {wanted}, and there is a group `{alike[0]}`: put its "
            f"name in quotes ('{alike[0]}') if it is meant"
        )


def _wanted(share: float, total: int) -> int:
    """Return how many of all groups a share is: none for 0, else at least one."""
    return max(1, round(share * total)) if share > 0 else 0


def _draw(seed: int, name: str) -> str:
    """Return a place in an order that seed and name decide."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


# --- training planes -----------------------------------------------------------------------------


def _choose_training_planes(
    rows: Sequence[SplitRow], count: int | None, seed: int
) -> list[SplitRow]:
    """Keep some training planes; a smaller choice is part of a larger one."""
    planes = {(row.source, row.plane) for row in rows if row.role == TRAIN}
    if count is None:
        return list(rows)
    if count > len(planes):
        raise UserError(
            f"`training_planes` is {count}, but there are {len(planes)} planes to train on; lower "
            "it, or leave it empty to use all"
        )
    order = sorted(planes, key=lambda plane: _draw(seed, f"{plane[0]}/{plane[1]}"))
    kept = set(order[:count])
    return [row for row in rows if row.role != TRAIN or (row.source, row.plane) in kept]


# --- what is refused and warned of ---------------------------------------------------------------


def refuse_missing_roles(roles: Sequence[str]) -> None:
    """Refuse roles without training or hold-out."""
    for role in (TRAIN, HOLDOUT):
        if role not in roles:
            raise UserError(
                f"no field has the role {role}; name some in `role` of samples.tsv, or raise its "
                "share in `split` of the dataset and leave `role` empty for at least two groups"
            )


def _refuse_empty_roles(rows: Sequence[SplitRow]) -> None:
    """Refuse a split of whose training or hold-out planes none is left."""
    for role in (TRAIN, HOLDOUT):
        if not any(row.role == role for row in rows):
            raise UserError(
                f"the quality check refused every plane with the role {role}; see quality.tsv for "
                "reasons and mends, or set `accept` to yes in samples.tsv"
            )


def _warnings(rows: Sequence[SplitRow], one_field: bool) -> tuple[str, ...]:
    """Return what a person should know about a split."""
    found = []
    groups = {role: {row.group for row in rows if row.role == role} for role in ROLES}
    total = len(set.union(*groups.values()))
    cut = _cut_sources(rows)
    if one_field:
        found.append("one field: differences cannot be told from chance; image a second position")
    elif cut:
        shown = ", ".join(cut[:SHOWN]) + (f" and {len(cut) - SHOWN} more" if cut[SHOWN:] else "")
        found.append(
            f"fields are cut into regions of several roles or groups: {shown}; regions of one "
            "field share light and neighbours and are not independent, so that scores look better "
            "than they are; give whole fields one role and one group if there are enough"
        )
    elif total < FEW_GROUPS:
        found.append(
            f"{total} groups only: results depend on which one is held out; train once for each "
            "group held out (a dataset each, with `split: leave_one_out`), or image more wells or "
            "positions"
        )
    if not groups[VALIDATION]:
        found.append("no validation fields: the last checkpoint will be used")
    return tuple(found)


def _cut_sources(rows: Sequence[SplitRow]) -> list[str]:
    """Return the sources whose regions have several roles or groups."""
    sides: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        sides.setdefault(row.source, set()).add((row.role, row.group))
    return sorted(source for source, found in sides.items() if len(found) > 1)


def split_to_table(split: Split) -> list[dict[str, Any]]:
    """Return the rows of a split as rows of its table."""
    return [asdict(row) for row in split.rows]
