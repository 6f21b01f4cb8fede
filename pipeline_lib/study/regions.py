"""Regions of fields, their groups and roles."""

from __future__ import annotations

from pipeline_lib.imaging.splitting import box_to_text, boxes_overlap
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.sheets import SampleRow
from pipeline_lib.settings.splitting import SourceRegion, parse_region

Earlier = dict[tuple[str, str], list[SourceRegion]]  # regions by their file and by their group
PROPOSED_GROUP = (
    " (without a `group`, files that their names take for one place of the specimen are one; give "
    "each a word of its own in `group` if they are not)"
)


def row_to_region(row: SampleRow, source: str, proposed: str) -> SourceRegion:
    """Return the region a row means, in the proposed group where it names none."""
    return SourceRegion(
        source=source,
        region=parse_region(row.region) if row.region else None,
        group=row.group or proposed,
        group_proposed=row.group is None,
        role=row.role,
        caption=row.caption,
    )


def add_region(regions: Earlier, region: SourceRegion, where: str, relative: str) -> None:
    """Add a region; regions of one file must not overlap, files of one group share a role."""
    of_file = regions.setdefault(("file", region.source), [])
    for earlier in of_file:
        if _overlap(earlier.region, region.region):
            raise UserError(
                f"{where}: region: {relative} is named twice with overlapping regions "
                f"({_written(earlier.region)} and {_written(region.region)}); pixels may stand in "
                "one row only"
            )
    of_group = regions.setdefault(("group", region.group), [])
    for earlier in of_group:
        if earlier.source != region.source and earlier.role != region.role:
            raise UserError(
                f"{where}: role: group `{region.group}` has role {earlier.role} in an earlier row "
                f"and {region.role} here; a group stays together"
                + (PROPOSED_GROUP if region.group_proposed else "")
            )
    of_file.append(region)
    # Of members with one role two files are enough to refuse any other.
    alike = {earlier.source for earlier in of_group if earlier.role == region.role}
    if len(alike - {region.source}) < 2:
        of_group.append(region)


def _overlap(
    first: tuple[int, int, int, int] | None, second: tuple[int, int, int, int] | None
) -> bool:
    """Tell whether two regions share a pixel; none means all of the field."""
    return first is None or second is None or boxes_overlap(first, second)


def _written(region: tuple[int, int, int, int] | None) -> str:
    """Return a region as the sheet writes it."""
    return box_to_text(region) if region else "all of it"
