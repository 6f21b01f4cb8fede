"""What the page over all runs shows, made from their tables, models' cards and training times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline_lib.reporting.explanations import STUDY_READING
from pipeline_lib.reporting.pages import SortableCell, StudyChart, StudyRow, StudyView
from pipeline_lib.reporting.study_choice import lines_to_choice_sentences
from pipeline_lib.reporting.study_figures import Point, points_to_png, study_to_png
from pipeline_lib.reporting.study_lines import (
    Line,
    StudyRun,
    counted_in,
    headline_of,
    varied_settings,
)
from pipeline_lib.reporting.study_methods import (
    MARKS,
    METHOD,
    card_to_method,
    lines_to_method_charts,
    lines_to_method_sentences,
    method_to_colour,
    methods_of,
)
from pipeline_lib.reporting.study_repeats import (
    lines_to_repeat_charts,
    lines_to_repeat_sentences,
)
from pipeline_lib.reporting.tables import (
    RUN_COLUMNS,
    Measured,
    measured_to_cell,
    metrics_to_measured,
    number,
)
from pipeline_lib.reporting.times import SECONDS_IN_MINUTE
from pipeline_lib.reporting.verdicts import (
    HEADLINE_METRIC,
    metrics_to_extractor,
    tuned_to_untuned,
)
from pipeline_lib.reporting.words import flags_to_notes, in_sentence, metric_to_words

Key = tuple[str, str]
MISSING = SortableCell("", "")


def runs_to_view(title: str, runs: Sequence[StudyRun]) -> StudyView:
    """Make what the page over all runs shows.

    Parameters
    ----------
    title : str
        Title of the page.
    runs : sequence of StudyRun
        In the order of the study.

    Returns
    -------
    StudyView
        A line for each run and concept. Columns: the settings in which the runs differ; the
        headline distance of tuned, untuned, floor and VAE's cost, and tuned over untuned; the
        tuned value of every other metric; notes. Charts of the distance against images and cost
        where the runs differ in them.
    """
    lines = [
        Line(run, concept) for run in runs for concept in run.metrics["concept"].drop_duplicates()
    ]
    varied = varied_settings([run.settings() for run in runs])
    extractor = _extractor(lines)
    others = [key for key in _measured_keys(lines) if key != (HEADLINE_METRIC, extractor)]
    headline = metric_to_words(HEADLINE_METRIC, extractor).label
    return StudyView(
        title=title,
        runs=len(runs),
        sentences=[
            *lines_to_choice_sentences(lines, extractor, headline),
            *lines_to_method_sentences(lines, extractor, headline),
            *lines_to_repeat_sentences(lines, extractor, headline),
            *_cost_sentences(runs),
        ],
        charts=_charts(lines, extractor, headline),
        columns=f"Tuned, untuned, floor and VAE's cost: {in_sentence(headline)} to held-out real "
        "tiles. The other metrics: of the tuned model. Intervals stand in brackets.",
        head=[
            *("run", "concept", *varied),
            *RUN_COLUMNS.values(),
            "tuned / untuned",
            *(metric_to_words(*key).label for key in others),
            "notes",
        ],
        rows=[
            StudyRow(line.run, line.whole.link, _cells(line, varied, extractor, others))
            for line in lines
        ],
        reading=STUDY_READING,
    )


def _measured_keys(lines: Sequence[Line]) -> list[Key]:
    """Return metric and extractor of what tuned sets were compared with held-out tiles by."""
    keys = (
        (row.metric, row.extractor)
        for line in lines
        for row in line.metrics.query("reference == 'holdout' and set == 'tuned'").itertuples()
    )
    return list(dict.fromkeys(keys))


def _extractor(lines: Sequence[Line]) -> str:
    """Return the extractor of the headline distance, that of the first line that has one."""
    found = (metrics_to_extractor(line.metrics, line.concept) for line in lines)
    return next((extractor for extractor in found if extractor), "")


def _cells(
    line: Line, varied: Sequence[str], extractor: str, others: Sequence[Key]
) -> list[SortableCell]:
    """Write the cells of a line behind its run."""
    sets = headline_of(line, extractor)
    ratio = tuned_to_untuned(sets)
    tuned = [metrics_to_measured(line.metrics, line.concept, *key).get("tuned") for key in others]
    notes = " ".join(flags_to_notes(sets["tuned"].flags)) if "tuned" in sets else ""
    settings = line.whole.settings()
    return [
        SortableCell(line.concept, line.concept),
        *(_setting_cell(line, key, settings.get(key, "")) for key in varied),
        *(_measured_cell(sets.get(key)) for key in RUN_COLUMNS),
        MISSING if ratio is None else SortableCell(number(ratio, 2), str(ratio)),
        *(_measured_cell(measured) for measured in tuned),
        SortableCell(notes, notes),
    ]


def _setting_cell(line: Line, key: str, text: str) -> SortableCell:
    """Write a setting; a method in words and in the colour of its lines."""
    if key != METHOD:
        return SortableCell(text, text)
    method = card_to_method(line.whole.card)
    return SortableCell(method, method, method_to_colour(method))


def _measured_cell(measured: Measured | None) -> SortableCell:
    """Write a value with its interval, sorted by the value."""
    if measured is None:
        return MISSING
    cell = measured_to_cell(measured)
    text = f"{cell.value} ({cell.interval})" if cell.interval else cell.value
    return SortableCell(text, str(measured.value))


def _charts(lines: Sequence[Line], extractor: str, headline: str) -> list[StudyChart]:
    """Draw the headline distance of all runs, a chart for each concept."""
    charts = []
    for concept in dict.fromkeys(line.concept for line in lines):
        own = [
            (line.run, headline_of(line, extractor)) for line in lines if line.concept == concept
        ]
        measured = [(run, sets) for run, sets in own if sets]
        if measured:
            words = f"{headline} of concept {concept} by run."
            charts.append(StudyChart(study_to_png(headline, measured), words))
            of_concept = [line for line in lines if line.concept == concept]
            charts += lines_to_method_charts(of_concept, extractor, headline)
            charts += _costs_to_charts(of_concept, extractor, headline)
            charts += lines_to_repeat_charts(of_concept, extractor, headline)
    return charts


def _costs_to_charts(lines: Sequence[Line], extractor: str, headline: str) -> list[StudyChart]:
    """Draw a concept's distance against images and cost, where the runs differ in them."""
    concept = lines[0].concept
    devices = ", ".join(dict.fromkeys(line.whole.took.device for line in lines))
    costs = (
        counted_in(lines),
        (f"minutes of training ({devices or 'device not recorded'})", Line.minutes),
    )
    charts, told = [], _method_marks(lines)
    for words, cost in costs:
        points = [
            Point(line.run, cost(line), headline_of(line, extractor), **told[line.run])
            for line in lines
        ]
        known = [point for point in points if math.isfinite(point.at) and "tuned" in point.sets]
        if len({point.at for point in known}) > 1:
            said = f"{headline} of concept {concept} against {words}."
            charts.append(StudyChart(points_to_png(headline, words, known), said))
    return charts


def _method_marks(lines: Sequence[Line]) -> dict[str, dict[str, str]]:
    """Return how each run's method is drawn, nothing where there is one alone."""
    if len(methods_of(lines)) < 2:
        return {line.run: {} for line in lines}
    found = {line.run: card_to_method(line.whole.card) for line in lines}
    return {
        run: {"method": method, "colour": method_to_colour(method), "marker": MARKS[method][1]}
        for run, method in found.items()
    }


def _cost_sentences(runs: Sequence[StudyRun]) -> list[str]:
    """Say how long all trainings took, where it is known of all."""
    seconds = [run.took.seconds for run in runs]
    on_gpus = [run.took.gpu_hours for run in runs]
    if len(runs) < 2 or not all(map(math.isfinite, seconds)):
        return []
    said = f"All trainings took {sum(seconds) / SECONDS_IN_MINUTE:,.0f} minutes"
    if all(map(math.isfinite, on_gpus)) and sum(on_gpus) > 0:
        said += f", {sum(on_gpus):,.1f} hours of a GPU"
    return [f"{said}."]
