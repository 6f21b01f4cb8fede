"""Measure the embedded base model: a table of figures and bars; exit 1 where one is missed.

With --quick the model of --model is measured as it is; without it the recipe is run first, which
takes more than an hour on two cores. The demo is run by Snakemake under a name of its own, with
--ecoli the E. coli example, too. --cho adds the autoencoder's cost for pictures of CHO cells.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas
import torch
import yaml
from bars import Figure, at_least, print_figures
from running import ROOT, run_workflow
from skimage.io import imread
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline_lib.dreambooth.latents import round_trip
from pipeline_lib.evaluation.extractors.contract import images_to_features
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.evaluation.image_sets import read_images
from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance
from pipeline_lib.evaluation.spectra import images_to_mean_spectrum
from pipeline_lib.imaging.camera_noise import add_camera_noise, tiles_to_camera_noise
from pipeline_lib.imaging.intensity import fit_intensity
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata
from pipeline_lib.models.conditioning import PromptEmbedding, encode_prompts, join_embeddings
from pipeline_lib.models.denoising import denoise, predict
from pipeline_lib.models.loading import BaseModel, load_model, ready_to_draw
from pipeline_lib.models.pictures import latents_to_images, rgb_to_grey
from pipeline_lib.models.recipe.cosines import (
    HALF,
    LatentScale,
    coefficients_to_means,
    pictures_to_coefficients,
)
from pipeline_lib.models.recipe.pictures import (
    CaptionedPictures,
    leave_out_noisiest,
    simulate_pictures,
)
from pipeline_lib.models.recipe.settings import PictureRecipe
from pipeline_lib.models.schedulers import build_scheduler
from pipeline_lib.optics import KINDS
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.training.pieces import threads_that_share

MODEL = ROOT / "resources" / "base_models" / "brightfield-tiny"
WORK = Path("work/benchmark")
Images = npt.NDArray[np.uint8]
ToFeatures = Callable[[Images], npt.NDArray[np.float32]]

ENCODER_BARS = {"float32": 0.01, "stored in half": 0.05, "bfloat16": 0.3}
BEHIND_BICUBIC_DB = 0.5
TUNED_SHARE = 0.5
KINDS_BAR, KINDS_GUIDANCE, KINDS_STEPS, KINDS_BATCH = 0.60, 3.0, 12, 12
KINDS_SCHEDULER = "UniPCMultistepScheduler"
# Pictures that autoencoder and extractor are given at once: the C library keeps what their layers
# leave for the next ones, where it gives more back to the system and gets it cleared.
AT_ONCE = 4
TAUGHT, ASKED = 120, 60  # pictures of a kind that the classifier learns from, and is asked about
BANDS = (0.02, 0.04, 0.0625, 0.09, 0.125, 0.18, 0.25, 0.35, 0.5)
LEAST_POWER = 0.7


@dataclass(frozen=True)
class Example:
    """An example that Snakemake runs, what its run and dataset are called, and where images lie."""

    name: str
    run: str
    dataset: str
    data: Path | None = None

    def path(self, project: str, part: str) -> Path:
        """Return a path below the results of a project."""
        return Path("results") / f"{project}-{self.name}" / part


DEMO = Example("demo", "monolayer", "monolayer-128")
ECOLI = Example("ecoli", "ecoli", "ecoli-128")


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    torch.set_num_threads(2)
    folder = arguments.model if arguments.quick else train_model()
    examples = [DEMO] if arguments.ecoli is None else [DEMO, replace(ECOLI, data=arguments.ecoli)]
    return print_figures(measure(folder, examples, arguments.cho, arguments.reference))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="measure the model as it is")
    add("--model", type=Path, default=MODEL, help="what --quick measures (%(default)s)")
    add("--ecoli", type=Path, help="folder of the images that config/examples/ecoli names")
    add("--cho", type=Path, help="folder of four PNGs of CHO cells, 512 x 512 pixels each")
    add("--reference", type=Path, help="another model, to stand beside it")
    return parser.parse_args()


def train_model() -> Path:
    """Run the recipe, or go on with it, and return the model's folder."""
    program, model = ROOT / "scripts" / "build_base_model.py", WORK / "model"
    subprocess.run([sys.executable, program, "--model", model], check=True)
    return model


def measure(
    folder: Path, examples: list[Example], cho: Path | None, reference: Path | None
) -> Iterator[Figure]:
    """Yield all figures, as they are measured."""
    for example in examples:
        run_example(example, "benchmark", folder)
    card = examples[0].path("benchmark", "base_models/brightfield-tiny.json")
    model = load_model(card)
    features = partial(images_to_features, load_extractor("efficientnet-lite0"), batch_size=AT_ONCE)
    tiles = read_stack(examples[0].path("benchmark", f"datasets/{examples[0].dataset}/train.tif"))
    yield from encoder_figures(model.vae, tiles[:32])
    for example in examples:
        yield from round_trip_figures(example.name, features, example_round_trips(example))
    if cho is not None:
        train, holdout = cho_tiles(cho)
        decoded = [round_trip(model, tiles, AT_ONCE) for tiles in (train, holdout)]
        yield from round_trip_figures("CHO", features, RoundTrips(train, holdout, train, *decoded))
    for example in examples:
        yield from example_figures(example, "benchmark")
    yield from kind_figures(ready_to_draw(load_model(card, "auto")), features)
    if reference is not None:
        for example in examples:
            run_example(example, "reference", reference)
            yield from beside_reference(example)


# --- the chain -----------------------------------------------------------------------------------


def run_example(example: Example, project: str, folder: Path, *targets: str) -> None:
    """Run an example with a model, up to its metrics or the files of its results that are named."""
    registry = WORK / f"{project}.yaml"
    registry.parent.mkdir(parents=True, exist_ok=True)
    entry = {"kind": "folder", "path": str(folder.resolve()), "size": 128}
    registry.write_text(yaml.safe_dump({"brightfield-tiny": entry}))
    images = () if example.data is None else (f"data_folder={example.data.resolve()}",)
    run_workflow(
        ROOT / "config" / "examples" / example.name / "config.yaml",
        [example.path(project, name) for name in targets or (f"metrics/{example.run}.csv",)],
        (f"project={project}-{example.name}", f"base_models={registry}", *images),
    )


def distances(example: Example, project: str) -> dict[str, float]:
    """Return the kernel distances of a finished example by set."""
    table = pandas.read_csv(example.path(project, f"metrics/{example.run}.csv"))
    table = table[table.metric == "kernel_distance"]
    return dict(zip(table["set"], table["value"].astype(float), strict=True))


def example_figures(example: Example, project: str) -> Iterator[Figure]:
    """Yield how near the tuned set comes, and its power by band."""
    found = distances(example, project)
    for name in ("floor", "untuned", "tuned"):
        yield Figure(f"{example.name}: KID, {name}", found[name])
    share = found["tuned"] / found["untuned"]
    yield Figure(
        f"{example.name}: tuned over untuned", share, f"at most {TUNED_SHARE}", share <= TUNED_SHARE
    )
    shards = example.path(project, f"samples/{example.run}/{example.dataset}-subject").glob("*.zip")
    tuned = read_images(sorted(shards)).images
    train = read_stack(example.path(project, f"datasets/{example.dataset}/train.tif"))
    for figure in power_figures(f"{example.name}: power, tuned over training tiles", tuned, train):
        yield at_least(figure.what, figure.value, LEAST_POWER)


def beside_reference(example: Example) -> Iterator[Figure]:
    """Yield the distances of another model, and whether ours are no worse."""
    ours, theirs = distances(example, "benchmark"), distances(example, "reference")
    for name in ("untuned", "tuned"):
        bar = f"not below {ours[name]:.4f}"
        what = f"{example.name}: KID of the reference, {name}"
        yield Figure(what, theirs[name], bar, theirs[name] >= ours[name])


# --- the autoencoder -----------------------------------------------------------------------------


def encoder_figures(vae: torch.nn.Module, tiles: Images, mean_side: int = HALF) -> Iterator[Figure]:
    """Yield how far an encoder is from the cosine transform, by precision."""
    noise = np.random.default_rng(0).integers(0, 256, (4, *tiles.shape[1:]), np.uint8)
    flat = np.stack([np.full(tiles.shape[1:], level, np.uint8) for level in (0, 255)])
    images = np.concatenate([tiles, noise, flat])
    coefficients = pictures_to_coefficients(images / 127.5 - 1, mean_side)
    vae = vae.float()
    latents = encode(vae, images, torch.float32)
    lines = [np.polyfit(latents[:, k].ravel(), coefficients[:, k].ravel(), 1) for k in range(16)]
    scale = LatentScale(*np.asarray(lines).T[::-1])
    error = partial(means_error, coefficients=coefficients, scale=scale)
    versions = {
        "float32": latents,
        "stored in half": encode(copy.deepcopy(vae).half().float(), images, torch.float32),
        "bfloat16": encode(copy.deepcopy(vae), images, torch.bfloat16),
    }
    for name, found in versions.items():
        value, bar = error(found), ENCODER_BARS[name]
        yield Figure(f"encoder, {name}: grey levels rms", value, f"at most {bar}", value <= bar)


def encode(vae: torch.nn.Module, images: Images, dtype: torch.dtype) -> npt.NDArray[np.float64]:
    """Return the latents of grey pictures."""
    pictures = torch.from_numpy(images / 127.5 - 1).to(dtype)[:, None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        return vae.to(dtype).encode(pictures).latent_dist.mean.double().numpy()


def means_error(
    latents: npt.NDArray[np.float64], coefficients: npt.NDArray[np.float64], scale: LatentScale
) -> float:
    """Return the root mean square error of what was transformed, grey levels."""
    found = latents * scale.scale[:, None, None] + scale.mean[:, None, None]
    difference = coefficients_to_means(found) - coefficients_to_means(coefficients)
    return float(np.sqrt(np.square(difference).mean()) * 127.5)


class RoundTrips(NamedTuple):
    """Real tiles, and some of them through the autoencoder and back."""

    train: Images
    holdout: Images
    sent: Images
    sent_decoded: Images
    holdout_decoded: Images


def example_round_trips(example: Example) -> RoundTrips:
    """Return the tiles of an example and what its stage `latents` made of them."""
    train, holdout = (
        read_stack(example.path("benchmark", f"datasets/{example.dataset}/{role}.tif"))
        for role in ("train", "holdout")
    )
    decoded = [
        example.path("benchmark", f"latents/brightfield-tiny/{example.dataset}.{name}.tif")
        for name in ("train-roundtrip", "roundtrip")
    ]
    sent = train[read_stack_metadata(decoded[0])["tiles"]]
    return RoundTrips(train, holdout, sent, *map(read_stack, decoded))


def round_trip_figures(name: str, features: ToFeatures, tiles: RoundTrips) -> Iterator[Figure]:
    """Yield what the autoencoder costs, before and after the noise is given back."""
    train, holdout, decoded = tiles.train, tiles.holdout, tiles.holdout_decoded
    noise = tiles_to_camera_noise(tiles.sent, tiles.sent_decoded)
    keys = [key_of("benchmark", 0, name, index) for index in range(len(holdout))]
    noisy = add_camera_noise(decoded, noise, keys)
    ours, bicubic = (psnr(holdout, other) for other in (decoded, enlarged(holdout)))
    bar = bicubic - BEHIND_BICUBIC_DB
    yield Figure(f"{name}: autoencoder, dB", ours, f"at least {bar:.2f}", ours >= bar)
    real, origins = features(holdout), np.arange(len(holdout))
    floor = features_to_kernel_distance(real, features(train))
    plain, restored = (
        features_to_kernel_distance(real, features(other), origins, origins)
        for other in (decoded, noisy)
    )
    yield Figure(f"{name}: KID of held-out tiles through the autoencoder", plain)
    yield Figure(
        f"{name}: the same with noise given back",
        restored,
        f"at most {floor:.4f}",
        restored <= floor,
    )


def enlarged(images: Images) -> npt.NDArray[np.float64]:
    """Return the bicubic enlargement of the exact half-size pictures."""
    number, rows, columns = images.shape
    halves = images.reshape(number, rows // 2, 2, columns // 2, 2).mean((2, 4))
    torch_halves = torch.from_numpy(halves)[:, None]
    enlarge = partial(torch.nn.functional.interpolate, scale_factor=2, mode="bicubic")
    return enlarge(torch_halves).clamp(0, 255)[:, 0].numpy()


def power_figures(what: str, images: Images, reference: Images) -> Iterator[Figure]:
    """Yield the power of images over that of others, by band."""
    ratio = images_to_mean_spectrum(images) / images_to_mean_spectrum(reference)
    frequency = np.arange(1, len(ratio) + 1) / (2 * len(ratio))
    for low, high in zip((0.0, *BANDS), BANDS, strict=False):
        value = float(ratio[(frequency > low) & (frequency <= high)].mean())
        yield Figure(f"{what}, {low}-{high} cycles a pixel", value)


def psnr(real: Images, other: npt.NDArray[np.number]) -> float:
    """Return the mean peak signal-to-noise ratio over the pictures, decibels."""
    error = np.square(real.astype(np.float64) - other).mean((1, 2))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-6))))


def cho_tiles(folder: Path) -> tuple[Images, Images]:
    """Return tiles of two CHO pictures and of two others."""
    pictures = [imread(path)[..., 0] for path in sorted(folder.glob("*.png"))]
    intensity = fit_intensity(pictures[:2], IntensitySettings())
    stacks = [intensity.apply(np.stack(some)) for some in (pictures[:2], pictures[2:])]
    cut = [
        stack.reshape(len(stack), 4, 128, 4, 128).swapaxes(2, 3).reshape(-1, 128, 128)
        for stack in stacks
    ]
    return cut[0], cut[1]


# --- the kinds -----------------------------------------------------------------------------------


def kind_figures(model: BaseModel, features: ToFeatures) -> Iterator[Figure]:
    """Yield how many pictures of each kind a classifier of simulated pictures names rightly."""
    taught, asked = simulated_kinds()
    decoded = [round_trip(model, pictures.images, AT_ONCE) for pictures in (taught, asked)]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    classifier.fit(features(decoded[0]), taught.kinds)
    simulated = classifier.score(features(decoded[1]), asked.kinds)
    yield Figure("kinds: simulated pictures named rightly", simulated)
    kinds = np.asarray(asked.kinds)
    drawn = draw_captions(model, asked.captions)
    named = classifier.predict(features(drawn)) == kinds
    for kind in KINDS:
        yield Figure(f"kinds: {kind} named rightly", float(named[kinds == kind].mean()))
    value = float(named.mean())
    bar = f"at least {KINDS_BAR}"
    yield Figure("kinds: drawn pictures named rightly", value, bar, value >= KINDS_BAR)


def simulated_kinds() -> tuple[CaptionedPictures, CaptionedPictures]:
    """Return pictures that no training has seen, to learn from and to ask about, by kind."""
    recipe = PictureRecipe(seed=77_001)
    number = int((TAUGHT + ASKED) * len(KINDS) * 1.4)
    pictures = leave_out_noisiest(simulate_pictures(recipe, 0, number), recipe.noisiest)
    kinds = np.asarray(pictures.kinds)
    places = [np.flatnonzero(kinds == kind) for kind in KINDS]
    taught, asked = (
        np.concatenate([some[part] for some in places])
        for part in (slice(TAUGHT), slice(TAUGHT, TAUGHT + ASKED))
    )
    return pictures[taught], pictures[asked]


def draw_captions(model: BaseModel, captions: list[str]) -> Images:
    """Draw a picture of each caption with guidance, two batches at once."""
    starts = range(0, len(captions), KINDS_BATCH)
    with threads_that_share(2) as pool:
        batches = pool.map(
            lambda start: draw_some(model, captions[start : start + KINDS_BATCH], start), starts
        )
        return np.concatenate(list(batches))


@torch.no_grad()
def draw_some(model: BaseModel, captions: list[str], first: int) -> Images:
    """Draw pictures of a few captions, of which the first has a number."""
    empty = encode_prompts(model, [""]).repeated(len(captions))
    both = join_embeddings((encode_prompts(model, captions), empty))
    scheduler = build_scheduler(KINDS_SCHEDULER, model.scheduler_config, KINDS_STEPS)
    keys = [key_of("kinds", 0, first + index) for index in range(len(captions))]
    latents = denoise(scheduler, partial(guided, model, both), keys, model.latent_shape(128))
    return rgb_to_grey(latents_to_images(model, latents))


def guided(
    model: BaseModel, both: PromptEmbedding, latents: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """Return the prediction led from the empty caption to each picture's own."""
    wanted, unwanted = predict(model, torch.cat([latents] * 2), timestep, both, 128).chunk(2)
    return unwanted + KINDS_GUIDANCE * (wanted - unwanted)


if __name__ == "__main__":
    sys.exit(main())
