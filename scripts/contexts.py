"""Compare prompts by what their words move, model by model: the matrix as page, table and summary.

Tables and pictures follow the order of the settings' files, descriptions that of their bases.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.contexts import ContextsStage

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_lib.evaluation.context_tables import Cell, ColumnSummary, Tables
    from pipeline_lib.reporting.contexts import Pictures

PATHS = {
    "values...": "measured values of each model and dataset (.csv)",
    "pictures...": "a picture of each of their prompts, TIFF stacks in the tables' order",
    "bases...": "descriptions of the base models (.json)",
    "page": "the page (.html)",
    "table": "every effect of the matrix (.tsv)",
    "summary": "what holds for each model (.json)",
}


def work(stage: ContextsStage, paths: argparse.Namespace) -> None:
    """Compare, and write the page, the table and the summary."""
    from pipeline_lib.evaluation.context_tables import (
        pairs_to_differences,
        tables_to_cells,
        tables_to_summaries,
    )
    from pipeline_lib.files import atomic_path, write_json, write_text
    from pipeline_lib.frames import read_frame
    from pipeline_lib.reporting.contexts import contexts_to_view
    from pipeline_lib.reporting.pages import contexts_to_page

    check_counts(stage, paths)
    tables = dict(zip(stage.files, map(read_frame, paths.values), strict=True))
    untaught = bases_to_untaught(stage, paths.bases)
    cells = tables_to_cells(stage, tables)
    summaries = tables_to_summaries(stage, tables, untaught)
    differences = pairs_to_differences(stage, tables, untaught)
    pictures = read_pictures(stage, tables, paths.pictures)
    view = contexts_to_view(stage, cells, summaries, differences, untaught, pictures)
    write_text(paths.page, contexts_to_page(view))
    with atomic_path(paths.table) as beside:
        cells_to_frame(cells).to_csv(beside, sep="\t", index=False)
    write_json(
        paths.summary,
        {
            "models": [summary_to_values(one, cells) for one in summaries],
            "prior_preservation": [
                {"with": kept.model, "without": without.model, "dataset": kept.dataset}
                | {"kind": kept.kind, "obedience": estimate_to_values(estimate)}
                for kept, without, estimate in differences
            ],
            "untaught": untaught,
            "sentences": list(view.sentences),
        },
    )


def check_counts(stage: ContextsStage, paths: argparse.Namespace) -> None:
    """Refuse lists that do not go with the settings."""
    wanted = {"values": len(stage.files), "pictures": len(stage.files), "bases": len(stage.bases)}
    for name, count in wanted.items():
        if len(getattr(paths, name)) != count:
            raise UserError(f"--{name} needs {count} paths, found {len(getattr(paths, name))}")


def bases_to_untaught(stage: ContextsStage, bases: Sequence[Path]) -> dict[str, Any]:
    """Return the words of each prompt that a base was not taught, where its captions are known."""
    from pipeline_lib.evaluation.context_tables import RECIPE
    from pipeline_lib.files import read_json
    from pipeline_lib.models.recipe.captions import template_to_untaught

    known = [
        name
        for name, path in zip(stage.bases, bases, strict=True)
        if RECIPE in read_json(path)["files"]
    ]
    words = {one.name: template_to_untaught(one.template) for one in stage.prompts if known}
    found = {prompt: own for prompt, own in words.items() if own}
    return {name: found if name in known else {} for name in stage.bases}


def read_pictures(stage: ContextsStage, tables: Tables, paths: Sequence[Path]) -> Pictures:
    """Return a picture of each image set that has one, by model and set."""
    from pipeline_lib.evaluation.context_tables import REAL, SET
    from pipeline_lib.imaging.stacks import read_stack

    found = {}
    for (model, dataset), path in zip(stage.files, paths, strict=True):
        sets = [name for name in tables[model, dataset][SET].unique() if name != REAL]
        found |= {(model, name): one for name, one in zip(sets, read_stack(path), strict=True)}
    return found


def cells_to_frame(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return every effect as a row."""
    import pandas

    return pandas.DataFrame(
        {
            **{name: getattr(one.column, name) for name in ("model", "dataset", "kind", "noun")},
            "prior_weight": one.column.prior_weight,
            "prompt": one.prompt,
            "control": one.prompt in one.column.controls,
            "property": one.name,
            "wanted": one.wanted,
            "word": one.word,
            "effect": one.effect.estimate.value,
            "low": one.effect.estimate.low,
            "high": one.effect.estimate.high,
            "neutral_mean": one.effect.means[0],
            "mean": one.effect.means[1],
            "neutral_images": one.effect.counts[0],
            "images": one.effect.counts[1],
        }
        for one in cells
    )


def summary_to_values(summary: ColumnSummary, cells: Sequence[Cell]) -> Mapping[str, Any]:
    """Return what holds for a column as plain values."""
    own = [cell.word for cell in cells if cell.column == summary.column and cell.word]
    return {
        **summary.column.model_dump(exclude={"sets", "neutral"}),
        "wanted": len(own),
        "words": {word: own.count(word) for word in dict.fromkeys(own)},
        "obedience": estimate_to_values(summary.obedience),
        "less_untuned": estimate_to_values(summary.drift),
        "objects": summary.objects,
        "objects_unlike_real": summary.unlike,
        "entanglement": estimate_to_values(summary.entanglement),
    }


def estimate_to_values(estimate: Any) -> Mapping[str, float | None]:
    """Return a value with its interval, none for what is not known."""
    told = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: None if math.isnan(one) else float(one) for name, one in told.items()}


if __name__ == "__main__":
    run_stage(__doc__, ContextsStage, PATHS, work)
