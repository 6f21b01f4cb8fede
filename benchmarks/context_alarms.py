"""How often intervals of contexts leave out 0 where words do nothing, on pictures that were drawn.

Give it the measured values of a model whose neutral prompt was drawn some hundred times, as
`contexts: {neutral_count: 720}` makes them (`results/PROJECT/contexts/MODEL/SET.csv`). They are
shared out at random as a neutral set and two controls, again and again: whatever is told apart is a
false alarm. Prints the share by property and how many a model with two controls has; exit 1 where a
bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from bars import Figure, at_most, print_figures

from pipeline_lib.evaluation.context_effects import values_to_context_effect
from pipeline_lib.settings.contexts import Property

PROPERTIES = get_args(Property)
CONFIDENCE, CONTROLS = 0.95, 2
BAR = 0.06


def main() -> int:
    """Share out, count, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    table = pd.read_csv(arguments.values)
    values = table.loc[table["set"] == arguments.set, list(PROPERTIES)].to_numpy(float)
    sizes = arguments.neutral_count, arguments.count
    return print_figures(alarms_to_figures(values_to_alarms(values, sizes, arguments.repeats)))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("values", type=Path, help="measured values (.csv)")
    parser.add_argument("--set", required=True, help="name of the neutral set in it")
    parser.add_argument("--neutral-count", type=int, default=48, help="pictures of a neutral set")
    parser.add_argument("--count", type=int, default=24, help="pictures of a control")
    parser.add_argument("--repeats", type=int, default=2000, help="how often they are shared out")
    return parser.parse_args()


def values_to_alarms(
    values: npt.NDArray[np.float64], sizes: tuple[int, int], repeats: int
) -> npt.NDArray[np.bool_]:
    """Return which controls were told from their neutral set.

    Parameters
    ----------
    values : ndarray
        (pictures, properties).
    sizes : tuple of int
        Pictures of a neutral set, and of each of two controls.
    repeats : int
        How often they are shared out.

    Returns
    -------
    ndarray of bool
        (repeats, controls, properties).
    """
    generator = np.random.default_rng(0)
    ends = np.cumsum([sizes[0], *[sizes[1]] * CONTROLS])
    found = np.zeros((repeats, CONTROLS, values.shape[1]), bool)
    for alarms in found:
        neutral, *controls = np.split(generator.permutation(values)[: ends[-1]], ends[:-1])
        for control, own in zip(controls, alarms, strict=True):
            for place, columns in enumerate(zip(neutral.T, control.T, strict=True)):
                estimate = values_to_context_effect(*columns, CONFIDENCE).estimate
                own[place] = estimate.low > 0 or estimate.high < 0
    return found


def alarms_to_figures(alarms: npt.NDArray[np.bool_]) -> list[Figure]:
    """Return shares with their bars, and the spread of a model's number of alarms."""
    shares = alarms.mean(axis=(0, 1))
    counts = alarms.sum(axis=(1, 2))
    return [
        *(
            at_most(f"false alarms, {name}", share, BAR)
            for name, share in zip(PROPERTIES, shares, strict=True)
        ),
        at_most("false alarms, all", float(alarms.mean()), BAR),
        Figure(f"of {alarms[0].size} of a model: mean", float(counts.mean())),
        Figure(f"of {alarms[0].size} of a model: standard deviation", float(counts.std())),
    ]


if __name__ == "__main__":
    sys.exit(main())
