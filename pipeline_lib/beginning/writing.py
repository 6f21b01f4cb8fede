"""Proposals to the text of config.yaml, samples.tsv and runs.tsv, with a mark where to decide."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from pipeline_lib.beginning.arranging import name_to_slug
from pipeline_lib.beginning.choosing import Choice
from pipeline_lib.beginning.proposing import Proposal
from pipeline_lib.decisions import DECIDE

INDENT = "    "
NAMED = 6
WIDTH = 98
GROUPS = (
    "Groups are the places of the specimen that names and pixels tell; each has one role.",
    "which pictures are of one well, plate, day or position? The names do not say. What shows one "
    "place, or cells that grew together, needs one word as group, and one role.",
)
APART = (
    "The quality check will refuse them, for their grey values are not on the scale of the others. "
    "Export all in one way, take out their rows, or make a concept for each scale."
)
UNLIKE = (
    "Trained on, and not held out: the quality check has more to say of them than of most, and "
    "held-out pictures decide the verdict. Take out their rows if they are bad."
)
PIXEL_SIZE = "how wide is a pixel? The files do not say; without it sizes are told in pixels."
ONE_READING = "# reading: {pixel_size_um: 0.65}"
FEW_CELLS, ONE_CELL = (0.005, 0.2), 0.05  # shares of fields, and of a tile that five cells span
LOOK = "The contact sheet shows the tiles: several whole cells should be in each."


def proposals_to_config(
    proposals: Sequence[Proposal], paths: Mapping[str, str], template: Mapping[str, Any]
) -> str:
    """Return the text of config.yaml.

    Parameters
    ----------
    proposals : sequence of Proposal
        One for each concept.
    paths : mapping
        Values of `project`, `samples`, `runs` and `data_folder`.
    template : mapping
        What serves the embedded base model best: `training` and `sampling`.

    Returns
    -------
    str
        YAML with comments.
    """
    lines = [
        f"# Lines with {DECIDE} need a person; the others were read from the files.",
        *(f"{key}: {_scalar(value)}" for key, value in paths.items()),
        "",
        "concepts:",
        *(line for one in proposals for line in _concept(one)),
        "",
        "datasets:",
        *(line for one in proposals for line in _dataset(one)),
        "",
        "priors:",
        *_priors(proposals),
        "",
        "# What served the embedded base model best. With Stable Diffusion leave out `training`",
        "# and `sampler`, and set the sizes above to 512.",
        yaml.safe_dump(dict(template), sort_keys=False).rstrip(),
    ]
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    """Return a key or value as YAML writes it: quoted where it would be read as something else."""
    plain = str(value)
    try:
        unchanged = yaml.safe_load(f"{plain}: {plain}") == {value: value}
    except (yaml.YAMLError, ValueError):  # a ValueError where it looks like a date, but is none
        unchanged = False
    if unchanged:
        return plain
    return yaml.safe_dump(value, default_style='"', width=math.inf, allow_unicode=True).rstrip("\n")


def _said(indent: str, key: str, choice: Choice) -> list[str]:
    """Return a key with its value and, on the line before, the reason."""
    mark = f"{DECIDE}: " if choice.decide else ""
    return [*_comment(indent, mark + choice.why), f"{indent}{key}: {_scalar(choice.value)}"]


def _comment(indent: str, text: str) -> list[str]:
    """Return a comment, in lines that fit a page."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _concept(one: Proposal) -> list[str]:
    """Return the lines of a concept."""
    lines = [f"  {_scalar(one.name)}:"]
    lines += _said(INDENT, "noun", one.noun) + _said(INDENT, "modality", one.modality)
    reading = dict(one.reading)
    unknown = all(picture.header.pixel_size_um is None for picture in one.pictures)
    if reading:
        lines.append(f"{INDENT}reading:")
        lines += [line for key in reading for line in _said(INDENT + "  ", key, reading[key])]
    if unknown:
        indent = INDENT + "  " if reading else INDENT
        lines += _comment(indent, f"{DECIDE}: {PIXEL_SIZE}")
        lines.append(indent + ("# pixel_size_um: 0.65" if reading else ONE_READING))
    return lines


def _dataset(one: Proposal) -> list[str]:
    """Return the lines of a concept's dataset."""
    cut = one.cut
    scaled = f", scale: {cut.scale:g}" if cut.scale != 1 else ""
    mostly_empty = FEW_CELLS[0] <= one.foreground < FEW_CELLS[1]
    least = f", minimum_foreground: {ONE_CELL:g}" if mostly_empty else ""
    tiles = f"{{size: {cut.size}, stride: {cut.stride}{scaled}{least}}}"
    empty = f"Only {one.foreground:.0%} of the fields shows cells: most empty tiles are left out."
    return [
        f"  {_scalar(dataset_name(one))}:",
        f"    concept: {_scalar(one.name)}",
        *_comment(INDENT, f"{span_to_words(one)} {LOOK}"),
        *(_comment(INDENT, empty) if mostly_empty else []),
        f"    tiles: {tiles}",
        *_intensity(one.intensity),
    ]


def _intensity(choices: Mapping[str, Choice]) -> list[str]:
    """Return the lines of a map to 8 bits that is not the usual one."""
    if not choices:
        return []
    said = (_said(INDENT + "  ", key, choice) for key, choice in choices.items())
    return ["    intensity:", *(line for lines in said for line in lines)]


def span_to_words(one: Proposal) -> str:
    """Return what was measured of the cells' span, and how many a tile holds."""
    if one.span is None:
        return "Objects could not be told apart, so that their span is unknown."
    size = one.pictures[0].header.pixel_size_um
    told = f" ({one.span.pixels * size:.3g} um)" if size else ""
    across = one.cut.raw / one.span.pixels
    number = f"{one.span.fields} field{'s' if one.span.fields > 1 else ''}"
    return (
        f"Objects span about {one.span.pixels:.0f} pixels{told}, measured in {number}; a tile is "
        f"{across:.1f} of them wide."
    )


def _priors(proposals: Iterable[Proposal]) -> list[str]:
    """Return the lines of the class images, once for concepts with the same words."""
    lines = []
    for name, one in {prior_name(one): one for one in proposals}.items():
        modality = str(one.modality.value).replace("_", " ")
        article = "an" if modality.startswith(("a", "e", "i", "o", "u")) else "a"
        prompt = f"{article} {modality} microscopy image of {one.noun.value}"
        decide = one.noun.decide or one.modality.decide
        lines += [f"  {_scalar(name)}:"]
        lines += ["    # The same noun and modality as above."] if decide else []
        lines += [f"    class_prompt: {_scalar(prompt)}", f"    size: {one.cut.size}"]
    return lines


def dataset_name(one: Proposal) -> str:
    """Return the name of a concept's dataset."""
    return f"{one.name}-{one.cut.size}"


def prior_name(one: Proposal) -> str:
    """Return the name of a concept's class images."""
    return name_to_slug(f"{one.modality.value}-{one.noun.value}-{one.cut.size}")


# --- sheets --------------------------------------------------------------------------------------


def proposals_to_samples(proposals: Sequence[Proposal]) -> str:
    """Return the text of samples.tsv: a row for each picture, or for each part of one."""
    rows = [(one.name, row) for one in proposals for row in one.rows]
    keys = sorted({key for _, row in rows for key in row.cells})
    regions = any(row.region for _, row in rows)
    columns = ["concept", "path", "group", "role", *(["region"] if regions else []), *keys]
    mark = "" if all(one.places for one in proposals) else f"{DECIDE}: "
    notes = _comment("", mark + GROUPS[bool(mark)])
    open_cells = [cell for one in proposals for cell in one.cells if cell[1].decide]
    for key, choice in dict.fromkeys(open_cells):
        notes += _comment("", f"{DECIDE}: `{key}` {choice.value}: {choice.why}")
    apart = [name for one in proposals for name in one.apart]
    if apart:
        notes += _comment("", f"{DECIDE}: what of {named(apart)}? {APART}")
    unlike = [name for one in proposals for name in one.unlike]
    if unlike:
        notes += _comment("", f"{named(unlike)}: {UNLIKE}")
    cells = [
        [name, row.path, row.group, row.role, *([row.region] if regions else [])]
        + [row.cells.get(key, "") for key in keys]
        for name, row in rows
    ]
    return "\n".join(notes) + "\n" + _sheet(columns, cells)


def named(names: Sequence[str]) -> str:
    """Return names, the first of many."""
    more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
    return ", ".join(names[:NAMED]) + more


def proposals_to_runs(proposals: Sequence[Proposal]) -> str:
    """Return the text of runs.tsv: a run for each concept."""
    columns = ["run", "base", "datasets", "priors", "identifiers"]
    base = "brightfield-tiny"
    rows = [[one.name, base, dataset_name(one), prior_name(one), "auto"] for one in proposals]
    text = _sheet(columns, rows)
    if len({(one.cut.size) for one in proposals}) == 1 < len(proposals):
        names, priors = (",".join(map(of, proposals)) for of in (dataset_name, prior_name))
        together = "\t".join(("together", base, names, priors, "auto"))
        text += f"# All kinds in one model: take the mark off the next line.\n# {together}\n"
    return text


def _sheet(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return tab-separated text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
