"""What was found and proposed, as a person reads it in a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from pipeline_lib.beginning.finding import Found, Picture
from pipeline_lib.beginning.proposing import Proposal
from pipeline_lib.beginning.roles import ENOUGH, count_roles
from pipeline_lib.beginning.writing import span_to_words
from pipeline_lib.decisions import DECIDE

NAMED = 6
COLUMNS = ("folder", "files", "kind", "axes", "height x width", "channels", "Z", "T", "um a pixel")


def found_to_lines(found: Found, proposals: Sequence[Proposal]) -> list[str]:
    """Return what lies in the folder, as a table with a line for all files that are alike."""
    bits = {picture.path: one.bits for one in proposals for picture in one.pictures}
    alike: dict[tuple[str, ...], list[Picture]] = defaultdict(list)
    for picture in found.pictures:
        alike[_picture_to_cells(picture, bits.get(picture.path))].append(picture)
    rows = [
        (folder, str(len({one.path for one in pictures})), *cells)
        for (folder, *cells), pictures in alike.items()
    ]
    lines = _align([(*COLUMNS, "type"), *rows])
    if found.left_out:
        number = _counted(len(found.left_out), "picture")
        lines += ["", f"Left out: {number}, or files with the name of one:"]
        lines += left_out_to_lines(found.left_out)
    if found.others:
        kinds = [f"{count} {kind}" for kind, count in found.others.most_common(NAMED)]
        lines += ["", f"Passed over: {', '.join(kinds)}."]
    return lines


def left_out_to_lines(left_out: Mapping[str, str]) -> list[str]:
    """Return a line for every reason, with the first of its files."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name, reason in left_out.items():
        alike[reason].append(name)
    return [
        f"  {', '.join(names[:NAMED])}"
        + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        + f": {reason}"
        for reason, names in alike.items()
    ]


def _picture_to_cells(picture: Picture, bits: int | None) -> tuple[str, ...]:
    """Return the cells of a picture's line, but for the number of files."""
    header = picture.header
    size = header.pixel_size_um
    whole = header.dtype.lstrip("uint")
    used = f" ({bits} bits used)" if bits and whole.isdecimal() and bits < int(whole) else ""
    channels = ", ".join(header.channels) or str(max(header.length("C"), header.length("S")))
    return (
        PurePath(picture.path).parent.as_posix(),
        header.kind,
        header.axes,
        f"{header.length('Y')} x {header.length('X')}",
        channels,
        str(header.length("Z")),
        str(header.length("T")),
        "unknown" if size is None else f"{size:.4g}",
        header.dtype + used,
    )


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _shortened(lines: Sequence[str]) -> list[str]:
    """Return the first of many lines, and how many more there are."""
    rest = len(lines) - NAMED
    return [*lines[:NAMED], *([f"  and {rest} more"] if rest > 0 else [])]


def proposal_to_lines(one: Proposal) -> list[str]:
    """Return what is proposed of one concept, and what its pictures cannot tell."""
    counts = count_roles(one.roles)
    told = ", ".join(f"{count} {role}" for role, count in counts.items() if count)
    pictures = _counted(len(one.pictures), "picture")
    lines = [f"{one.name}: {pictures} in {_counted(len(one.roles), 'group')} ({told})"]
    choices = [("noun", one.noun), ("modality", one.modality), *one.reading.items(), *one.cells]
    choices += [(f"intensity.{key}", choice) for key, choice in one.intensity.items()]
    for key, choice in choices:
        mark = f"{DECIDE}: " if choice.decide else ""
        lines.append(f"  {key}: {choice.value}. {mark}{choice.why}")
    lines.append(f"  {span_to_words(one)}")
    if one.alike:
        lines.append("  These show one place, so that they are in one group:")
        lines += _shortened([f"    {words}" for words in one.alike])
    if one.apart:
        read = f"the {one.looked_at} pictures that were looked at"
        whole = read if one.looked_at < len(one.pictures) else pictures
        lines.append(f"  {len(one.apart)} of {whole} will be refused by the quality check:")
        lines += _shortened([f"    {name}: {reason}" for name, reason in one.apart.items()])
    if one.unlike:
        lines.append("  Trained on and not held out, since held-out pictures decide the verdict:")
        lines += _shortened([f"    {name}: {reason}" for name, reason in one.unlike.items()])
    return lines + [f"  {words}" for words in _limits(one, counts)]


def _limits(one: Proposal, counts: dict[str, int]) -> Iterable[str]:
    """Yield what cannot be judged with these pictures."""
    if any(row.region for row in one.rows):
        yield (
            "One place alone: its fields are cut into a part to train on and one to hold out. They "
            "are not independent, so that the page cannot say whether synthetic images are near "
            "enough; image a second place."
        )
    elif min(counts["train"], counts["holdout"]) < ENOUGH:
        yield (
            f"Fewer than {ENOUGH} groups to train on or to hold out: the page will give numbers "
            f"without intervals, and no verdict. {2 * ENOUGH} independent groups would do; with "
            "fewer, hold out each in turn (`leave_one_out`, docs/input.md)."
        )
    if not counts["validation"]:
        yield "No group validates: the last checkpoint will be used."
    kinds = sorted({p.header.kind for p in one.pictures if p.header.kind in ("PNG", "JPEG")})
    if kinds:
        yield (
            f"{' and '.join(kinds)} files are no camera data: their noise may be compression, and "
            "nothing can be given back on the camera's scale."
        )
