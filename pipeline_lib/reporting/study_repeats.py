"""What a study's repeated runs tell, concept by concept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline_lib.reporting.pages import StudyChart
from pipeline_lib.reporting.repeats import Repeated, repeats_to_png, repeats_to_sentences
from pipeline_lib.reporting.study_lines import Line, counted_in, headline_of, varied_settings
from pipeline_lib.reporting.words import in_sentence


def lines_to_repeats(lines: Sequence[Line], extractor: str) -> list[Repeated]:
    """Gather the runs of a concept that differ in their seed alone.

    Parameters
    ----------
    lines : sequence of Line
        Of one concept.
    extractor : str
        Whose headline distance is gathered.

    Returns
    -------
    list of Repeated
        In the order of first appearance.
    """
    _, count = counted_in(lines)
    varied = varied_settings([line.whole.shaping() for line in lines])
    found: dict[tuple[str, float, str], list[Line]] = {}
    for line in lines:
        if "tuned" in headline_of(line, extractor):
            told = line.whole.shaping()
            words = ", ".join(f"{key} {told.get(key, '')}" for key in varied)
            found.setdefault((words, count(line), line.whole.inputs()), []).append(line)
    named = Counter((words, images) for words, images, _ in found)
    return [
        Repeated(
            words if named[words, images] == 1 else _with_datasets(words, own[0]),
            images,
            tuple(headline_of(line, extractor)["tuned"].value for line in own),
        )
        for (words, images, _), own in found.items()
    ]


def _with_datasets(words: str, line: Line) -> str:
    """Name a setting by its datasets and its first run, too: its words do not tell it alone."""
    return ", ".join(filter(None, (words, f"{line.whole.datasets()} (as {line.run})")))


def lines_to_repeat_sentences(lines: Sequence[Line], extractor: str, headline: str) -> list[str]:
    """Say what repeated runs of each concept tell."""
    sentences = []
    for concept in dict.fromkeys(line.concept for line in lines):
        own = [line for line in lines if line.concept == concept]
        groups = lines_to_repeats(own, extractor)
        sentences += repeats_to_sentences(concept, headline, counted_in(own)[0], groups)
    return sentences


def lines_to_repeat_charts(
    lines: Sequence[Line], extractor: str, headline: str
) -> list[StudyChart]:
    """Draw the means of repeated runs, where some were repeated."""
    groups = lines_to_repeats(lines, extractor)
    if len(groups) < 2 or max(len(group.values) for group in groups) < 2:
        return []
    counted = counted_in(lines)[0]
    said = (
        f"Mean {in_sentence(headline)} of concept {lines[0].concept} against {counted}; bars are "
        "95 % intervals of the mean over seeds, small marks the runs."
    )
    return [StudyChart(repeats_to_png(headline, counted, groups), said)]
