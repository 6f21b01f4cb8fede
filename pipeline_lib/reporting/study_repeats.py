"""What a study's repeated runs tell, concept by concept."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_lib.reporting.pages import StudyChart
from pipeline_lib.reporting.repeats import Repeated, repeats_to_png, repeats_to_sentences
from pipeline_lib.reporting.study_lines import Line, counted_in, headline_of, varied_settings
from pipeline_lib.reporting.words import in_sentence

SEED = "seed"


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
    settings = {line.run: line.whole.settings() for line in lines}
    varied = [key for key in varied_settings([*settings.values()]) if key != SEED]
    found: dict[tuple[str, float], list[float]] = {}
    for line in lines:
        sets = headline_of(line, extractor)
        if "tuned" in sets:
            words = ", ".join(f"{key} {settings[line.run].get(key, '')}" for key in varied)
            found.setdefault((words, count(line)), []).append(sets["tuned"].value)
    return [Repeated(*key, tuple(values)) for key, values in found.items()]


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
