"""The pages: values in, HTML out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline_lib import __version__
from pipeline_lib.reporting.answers import Answers
from pipeline_lib.reporting.bars import Bar
from pipeline_lib.reporting.contexts import ContextsView
from pipeline_lib.reporting.downstream import DownstreamView
from pipeline_lib.reporting.judged import Chart, JudgedView
from pipeline_lib.reporting.pictures import ScaleBar
from pipeline_lib.reporting.tables import MetricRow, Table
from pipeline_lib.reporting.verdicts import Verdict

JUDGED = {"yes": "Yes", "no": "No", "cannot say": "Cannot say"}


@dataclass(frozen=True)
class TileRow:
    """A labelled row of pictures, each a PNG, and what each is called."""

    label: str
    tiles: Sequence[bytes]
    names: Sequence[str]


@dataclass(frozen=True)
class PairView:
    """A synthetic image, the training place that it is likest, and their difference, as PNGs."""

    index: int
    synthetic: bytes
    training: bytes
    difference: bytes
    words: str
    copy: bool


@dataclass(frozen=True)
class ConceptView:
    """What the page shows of one concept; pictures and charts are PNGs."""

    name: str
    verdict: Verdict
    answers: Answers
    bars: Sequence[Bar]
    choice: str
    rows: Sequence[TileRow]
    typical: Sequence[TileRow]
    scale: ScaleBar | None
    columns: str
    sets: Mapping[str, str]
    metrics: Sequence[MetricRow]
    footnotes: Sequence[str]
    csv: bytes
    distances: bytes
    copies: str
    compared: int
    pairs: Sequence[PairView]
    similarities: bytes
    objects: bytes
    medians: str
    strange_words: str
    strange: TileRow | None
    measured_on: str
    spectrum: bytes
    histogram: bytes
    camera: str
    camera_curves: bytes
    data: Sequence[Table]
    decoder: Table | None = None


@dataclass(frozen=True)
class RunView:
    """What the page of one run shows."""

    title: str
    run: str
    concepts: Sequence[ConceptView]
    confidence: str
    checkpoint: str
    judged: JudgedView | None
    training: bytes
    quarters: Chart | None
    sweep: Chart | None
    previews: bytes
    class_images: Sequence[TileRow]
    times: Table
    methods: str
    licences: Table
    settings: Sequence[Table]
    provenance: Sequence[Table]
    reading: Sequence[str]
    limits: Sequence[str]


@dataclass(frozen=True)
class SortableCell:
    """A cell of the study's table: what is shown, what it is sorted by, and a colour beside it."""

    text: str
    sort: str
    colour: str = ""


@dataclass(frozen=True)
class StudyRow:
    """A run in the study's table, with the path of its page."""

    run: str
    link: str
    cells: Sequence[SortableCell]


@dataclass(frozen=True)
class StudyChart:
    """A PNG and what it shows."""

    png: bytes
    words: str


@dataclass(frozen=True)
class StudyView:
    """What the page over all runs shows."""

    title: str
    runs: int
    sentences: Sequence[str]
    charts: Sequence[StudyChart]
    columns: str
    head: Sequence[str]
    rows: Sequence[StudyRow]
    reading: Sequence[str]


def png_to_data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds the whole picture.

    Parameters
    ----------
    png : bytes
        The file.

    Returns
    -------
    str
        ``data:image/png;base64,...``
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def csv_to_data_uri(table: bytes) -> str:
    """Return a table as an address that holds the whole file.

    Parameters
    ----------
    table : bytes
        The CSV file, UTF-8.

    Returns
    -------
    str
        ``data:text/csv;base64,...``
    """
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(table).decode("ascii")


def run_to_page(view: RunView) -> str:
    """Return the page of one run.

    Parameters
    ----------
    view : RunView
        What to show; every text in it is escaped.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    return _render("run.html", {"page": view})


def study_to_page(view: StudyView) -> str:
    """Return the page over all runs.

    Parameters
    ----------
    view : StudyView
        What to show; every text in it is escaped.

    Returns
    -------
    str
        HTML that needs no other file; its links lead to the pages of the runs.
    """
    return _render("study.html", {"study": view})


def contexts_to_page(view: ContextsView) -> str:
    """Return the page of contexts.

    Parameters
    ----------
    view : ContextsView
        What to show; every text in it is escaped.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    return _render("contexts.html", {"page": view})


def downstream_to_page(view: DownstreamView) -> str:
    """Return the page that says whether synthetic images help a detector.

    Parameters
    ----------
    view : DownstreamView
        What to show; every text in it is escaped.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    return _render("downstream.html", {"page": view})


def _render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template; a name that it asks for in vain is an error."""
    environment = Environment(
        loader=PackageLoader("pipeline_lib.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = png_to_data_uri
    environment.filters["csv_uri"] = csv_to_data_uri
    environment.globals["judged"] = JUDGED
    return environment.get_template(template).render(version=__version__, **values)
