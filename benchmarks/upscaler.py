"""Measure the embedded upscaler: a table of figures and bars; exit 1 where one is missed.

Tiles of the demo are cut by Snakemake, with --ecoli those of the E. coli example, too. What their
means of 4 x 4 pixels become is held against the tiles: by bicubic interpolation, and by the untuned
upscaler at its lowest noise level. Pictures of both lie in work/benchmark afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from bars import Figure, at_least, print_figures
from base_model import (
    DEMO,
    ECOLI,
    WORK,
    Example,
    Images,
    encoder_figures,
    power_figures,
    psnr,
    run_example,
)
from base_model import MODEL as BASE
from diffusers import AutoencoderKL, StableDiffusionUpscalePipeline
from running import ROOT

from pipeline_lib.dreambooth.latents import round_trip
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.models.interpolation import enlarge_by_interpolation
from pipeline_lib.models.pictures import Autoencoder
from pipeline_lib.models.recipe.enlarging import enlarge
from pipeline_lib.models.recipe.settings import UPSCALER

MODEL = ROOT / "resources" / "base_models" / "brightfield-tiny-x4"
PROMPTS = {
    "demo": "an oblique microscopy image of a confluent monolayer",
    "ecoli": "a brightfield microscopy image of rod bacteria, in focus",
}
ABOVE_BASE_DB = 3.0  # what keeping the finest octave must be worth in the round trip
STEPS, BATCH, SHOWN, SHOWN_SCALE = 25, 16, 6, 2
FACTOR = UPSCALER.autoencoder.factor


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="what is measured (%(default)s)")
    parser.add_argument("--ecoli", type=Path, help="images that config/examples/ecoli names")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the sampler (%(default)s)")
    parser.add_argument("--tiles", type=int, default=48, help="enlarged tiles (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    examples = [DEMO]
    if arguments.ecoli is not None:
        examples.append(replace(ECOLI, data=arguments.ecoli))
    return print_figures(measure(arguments.model, examples, arguments.steps, arguments.tiles))


def measure(folder: Path, examples: list[Example], steps: int, tiles: int) -> Iterator[Figure]:
    """Yield all figures, as they are measured."""
    holdouts = {example.name: held_out_tiles(example) for example in examples}
    base = Autoencoder(AutoencoderKL.from_pretrained(BASE / "vae"))
    pipeline = StableDiffusionUpscalePipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    for name, holdout in holdouts.items():
        real = holdout[np.linspace(0, len(holdout) - 1, min(tiles, len(holdout))).astype(int)]
        if name == examples[0].name:
            yield from encoder_figures(pipeline.vae, real[:32], UPSCALER.autoencoder.mean_side)
        half = psnr(holdout, round_trip(base, holdout, BATCH))
        yield Figure(f"{name}: autoencoder of brightfield-tiny, dB", half)
        value = psnr(holdout, round_trip(pipeline, holdout, BATCH))
        yield at_least(f"{name}: autoencoder, dB", value, half + ABOVE_BASE_DB)
        yield from enlarged_figures(name, pipeline, real, steps)


def held_out_tiles(example: Example) -> Images:
    """Cut an example's tiles, and return those that are held out."""
    names = [f"datasets/{example.dataset}/{role}.tif" for role in ("train", "holdout")]
    run_example(example, "benchmark", BASE, *names)
    return read_stack(example.path("benchmark", names[1]))


def enlarged_figures(
    name: str, pipeline: StableDiffusionUpscalePipeline, real: Images, steps: int
) -> Iterator[Figure]:
    """Yield how near enlarged tiles come to the true ones; leave a sheet of them."""
    small = pictures_to_low_resolution(real, FACTOR)
    ways = {
        "bicubic": enlarge_by_interpolation(small, FACTOR),
        "upscaler": enlarge(pipeline, small, [PROMPTS[name]] * len(small), steps),
    }
    for way, large in ways.items():
        yield Figure(f"{name}: {way}, dB", psnr(real, large))
        again = pictures_to_low_resolution(large, FACTOR)
        error = float(np.sqrt(np.square(again - small).mean()))
        yield Figure(f"{name}: {way}, means of 4 x 4 against the given ones, grey levels", error)
        yield from power_figures(f"{name}: {way}, power over true", large, real)
    blocks = np.rint(small).astype(np.uint8).repeat(FACTOR, 1).repeat(FACTOR, 2)
    chosen = np.linspace(0, len(real) - 1, SHOWN).astype(int)
    rows = [
        (label, stack[chosen]) for label, stack in {"given": blocks, **ways, "true": real}.items()
    ]
    path = WORK / f"upscaler-{name}.png"
    write_png(path, images_to_contact_sheet(rows, columns=SHOWN, scale=SHOWN_SCALE))


if __name__ == "__main__":
    sys.exit(main())
