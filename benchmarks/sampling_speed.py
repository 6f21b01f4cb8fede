"""Time the drawing of images beside a loop over diffusers' pipeline, on the embedded base model.

A table; exit 1 where a bar is missed. The loop draws one image at a time by 40 steps of the model's
own scheduler, as notebooks do, and saves each; ours are drawn, decoded, judged and written by the
stage `sample`. All take turns within one run, so that a busy machine slows them alike; the load is
printed first. Then the images are compared: float32 with `auto`, and all with simulated ones.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from bars import Figure, at_least, at_most, print_figures
from diffusers import StableDiffusionPipeline
from simulated import simulate_fields
from skimage.io import imread

from pipeline_lib.evaluation.extractors.contract import Extractor, images_to_features
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.evaluation.image_sets import read_images
from pipeline_lib.evaluation.intervals import Estimate, images_to_blocks, jackknife_estimate
from pipeline_lib.evaluation.kernel_distance import units_to_kernel_statistic
from pipeline_lib.models.loading import load_model, ready_to_draw
from pipeline_lib.sampling.shards import draw_shard
from pipeline_lib.settings.base import Precision
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage

Images = npt.NDArray[np.uint8]

MODEL = Path(__file__).parents[1] / "resources" / "base_models" / "brightfield-tiny"
PROMPT, KIND, SIZE = "a brightfield microscopy image of suspension cells", "suspension cells", 128
STEPS = 40
DEFAULT = SamplerSettings()
EQUAL = SamplerSettings(scheduler="ddim", steps=STEPS)
SPEED_BAR, GREY_BAR = 6.0, 1.0
LOOP, FLOAT32, AUTO, OURS = "loop", "float32, equal steps", "auto, equal steps", "default sampler"
REFERENCE, SEED = 120, 91


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    load, threads = os.getloadavg()[0], torch.get_num_threads()
    print(f"load of the last minute: {load:.1f} on {os.cpu_count()} processors; {threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        return print_figures(measure(Path(folder), 3 if arguments.quick else 4, arguments.quick))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, and no distances")
    return parser.parse_args()


def measure(folder: Path, turns: int, quick: bool) -> Iterator[Figure]:
    """Yield all figures."""
    drawers = {
        LOOP: loop_drawer(),
        FLOAT32: shard_drawer(folder, EQUAL, "float32"),
        AUTO: shard_drawer(folder, EQUAL, "auto"),
        OURS: shard_drawer(folder, DEFAULT, DEFAULT.precision),
    }
    for name, draw in drawers.items():  # the first of each waits for kernels
        draw(folder / f"warm-{name}", 0, 1)
    counts = {name: 4 if quick and name == LOOP else DEFAULT.batch_size for name in drawers}
    taken = take_turns(drawers, folder, turns, counts)
    yield from speed_figures(taken)
    images = {name: read_turns(folder, name, turns) for name in drawers}
    yield from grey_figures(images[FLOAT32], images[AUTO])
    if not quick:
        yield from distance_figures(images)


# --- drawing -------------------------------------------------------------------------------------

SHARD = "shard.zip"
Drawer = Callable[[Path, int, int], None]  # folder, index of the first image, and how many


def loop_drawer() -> Drawer:
    """Return what draws and saves images as notebooks do, by diffusers alone."""
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    pipeline.set_progress_bar_config(disable=True)

    def draw(folder: Path, first: int, count: int) -> None:
        folder.mkdir()
        for number in range(first, first + count):
            generator = torch.Generator().manual_seed(number)
            given = {"num_inference_steps": STEPS, "guidance_scale": DEFAULT.guidance}
            size = {"height": SIZE, "width": SIZE}
            drawn = pipeline(PROMPT, generator=generator, **given, **size).images[0]
            drawn.save(folder / f"{number:06d}.png")

    return draw


def shard_drawer(folder: Path, sampler: SamplerSettings, precision: Precision) -> Drawer:
    """Return what draws a shard as the stage `sample` does."""
    card = folder / "model.json"
    card.write_text(json.dumps({"name": "brightfield-tiny", "folder": str(MODEL)}))
    model = ready_to_draw(load_model(card, precision))

    def draw(folder: Path, first: int, count: int) -> None:
        stage = SampleStage(
            prompt_name="subject",
            concept="cells",
            noun=KIND,
            modality="brightfield",
            template="a {modality} microscopy image of {subject}",
            size=SIZE,
            sampler=sampler,
            first=first,
            count=count,
        )
        folder.mkdir()
        draw_shard(model, stage, folder / SHARD, {"stage": "sample"})

    return draw


def take_turns(
    drawers: dict[str, Drawer], folder: Path, turns: int, counts: dict[str, int]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the seconds an image of each turn by drawer."""
    taken: dict[str, list[float]] = {name: [] for name in drawers}
    for turn in range(turns):
        for name, draw in drawers.items():
            begun = time.perf_counter()
            draw(folder / f"{turn}-{name}", turn * counts[name], counts[name])
            taken[name].append((time.perf_counter() - begun) / counts[name])
    return {name: np.array(seconds) for name, seconds in taken.items()}


def read_turns(folder: Path, name: str, turns: int) -> Images:
    """Return the images of all turns of a drawer, grey."""
    folders = [folder / f"{turn}-{name}" for turn in range(turns)]
    if name != LOOP:
        return read_images([one / SHARD for one in folders]).images
    files = [path for one in folders for path in sorted(one.glob("*.png"))]
    return np.stack([np.rint(imread(path).mean(axis=-1)).astype(np.uint8) for path in files])


# --- what is found -------------------------------------------------------------------------------


def speed_figures(taken: dict[str, npt.NDArray[np.float64]]) -> Iterator[Figure]:
    """Yield seconds an image, and ratios of turns to those of the loop."""
    for name, seconds in taken.items():
        yield Figure(f"{name}: seconds an image", float(np.median(seconds)))
    for name in (FLOAT32, AUTO, OURS):
        ratios = taken[LOOP] / taken[name]
        what, value = f"loop over {name}, median of {len(ratios)} turns", float(np.median(ratios))
        yield at_least(what, value, SPEED_BAR) if name == OURS else Figure(what, value)
        yield Figure(f"loop over {name}, least", float(ratios.min()))
        yield Figure(f"loop over {name}, most", float(ratios.max()))


def grey_figures(float32: Images, auto: Images) -> Iterator[Figure]:
    """Yield how many grey levels the images of one key differ by."""
    apart = np.abs(float32.astype(np.float64) - auto)
    name = "float32 and auto apart, grey levels"
    yield at_most(f"{name}, root mean square", float(np.sqrt(np.square(apart).mean())), GREY_BAR)
    yield Figure(f"{name}, mean", float(apart.mean()))
    yield Figure(f"{name}, largest", float(apart.max()))
    yield Figure("share of pixels more than one grey level apart", float((apart > 1).mean()))


def distance_figures(images: dict[str, Images]) -> Iterator[Figure]:
    """Yield the kernel distances of all sets to simulated images of their kind."""
    extractor = load_extractor("efficientnet-lite0")
    real = images_to_features(extractor, simulated_images())
    found = {name: images_to_distance(extractor, real, one) for name, one in images.items()}
    for name, estimate in found.items():
        what = f"{name}: kernel distance of {len(images[name])} to {REFERENCE} simulated"
        if name == OURS:
            yield at_most(what, estimate.value, found[LOOP].high)
        else:
            yield Figure(what, estimate.value)
        yield Figure(f"{name}: the same, low end of 95 %", estimate.low)
        yield Figure(f"{name}: the same, high end of 95 %", estimate.high)


def simulated_images() -> Images:
    """Return simulated images of the kind that is asked for, each under optics of its own."""
    return np.concatenate(
        [simulate_fields(KIND, SEED + number, 1, SIZE) for number in range(REFERENCE)]
    )


def images_to_distance(
    extractor: Extractor, real: npt.NDArray[np.floating], images: Images
) -> Estimate:
    """Return the kernel distance of images to real ones, each of which is a field of its own."""
    blocks = images_to_blocks(len(images))
    features = images_to_features(extractor, images)
    statistic = units_to_kernel_statistic(real, np.arange(len(real)), features, blocks)
    return jackknife_estimate(statistic, (len(real), int(blocks.max()) + 1), 0.95)


if __name__ == "__main__":
    sys.exit(main())
