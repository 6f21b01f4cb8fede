"""Time a step of the fine-tuning beside diffusers' script, on the embedded base model.

A table; exit 1 where a bar is missed. `--peer` is diffusers' train_dreambooth.py. Both train UNet
and text encoder with AdamW on the same pictures, prompts, batch and precision, each as a process of
its own, in turns, so that a busy machine slows them alike. The time between two steps of the
optimizers is what counts: neither start nor saving.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from bars import Figure, at_least, print_figures
from simulated import simulate_fields
from skimage.io import imsave
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers.utils import is_torchvision_available

HERE = Path(__file__).parent
MODEL = HERE.parent / "resources" / "base_models" / "brightfield-tiny"
SIZE, IMAGES, RATE, SKIPPED = 128, 8, 1e-5, 3
PROMPT = "a brightfield microscopy image of zbk budding yeast"
CLASS_PROMPT = "a brightfield microscopy image of budding yeast"
SPEED_BAR = 1.4


def main() -> int:
    """Measure, print, and say whether the bar is kept."""
    arguments = parse_arguments()
    if arguments.timed:
        return run_timed(arguments.timed, arguments.batch, arguments.steps, arguments.precision)
    load = os.getloadavg()[0]
    stand_ins = "" if find_spec("torchvision") else "; stand-in for torchvision's transforms"
    print(f"load of the last minute: {load:.1f} on {os.cpu_count()} processors{stand_ins}")
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        return print_figures(measure(Path(folder), arguments))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--peer", type=Path, required=True, help="diffusers' train_dreambooth.py")
    add("--batch", type=int, default=2, help="subject images a step, and class images")
    add("--steps", type=int, default=12, help="steps of a turn")
    add("--turns", type=int, default=3, help="turns of each")
    add("--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of both")
    add("--timed", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_pictures(folder: Path) -> None:
    """Write simulated subject and class pictures."""
    fields = simulate_fields("budding yeast", 1, 2 * IMAGES, SIZE)
    for kind, pictures in (("subject", fields[:IMAGES]), ("class", fields[IMAGES:])):
        (folder / kind).mkdir()
        for number, picture in enumerate(pictures):
            rgb = np.repeat(picture[..., np.newaxis], 3, axis=-1)
            imsave(folder / kind / f"{number}.png", rgb, check_contrast=False)


def measure(folder: Path, arguments: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of all turns."""
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    for turn in range(arguments.turns):
        for name, between in seconds.items():
            place = folder / f"{name}-{turn}"
            place.mkdir()
            between += list(time_process(folder, place, name, arguments))
    medians = {name: float(np.median(between)) for name, between in seconds.items()}
    yield Figure("seconds of a step, diffusers' script", medians["theirs"])
    yield Figure("seconds of a step, ours", medians["ours"])
    what = f"times as fast, {arguments.precision}, batch {arguments.batch} + {arguments.batch}"
    yield at_least(what, medians["theirs"] / medians["ours"], SPEED_BAR)


def time_process(
    folder: Path, place: Path, name: str, arguments: argparse.Namespace
) -> npt.NDArray[np.float64]:
    """Run one side as a process, and return the seconds between its steps but the first."""
    told = {"folder": str(folder), "place": str(place), "name": name}
    (place / "told.json").write_text(json.dumps(told | {"peer": str(arguments.peer.resolve())}))
    command = [sys.executable, __file__, "--peer", arguments.peer, "--timed", place]
    command += ["--batch", str(arguments.batch), "--steps", str(arguments.steps)]
    command += ["--precision", arguments.precision]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return np.diff(json.loads((place / "times.json").read_text()))[SKIPPED:]


# --- one side, in a process of its own -----------------------------------------------------------


def run_timed(place: Path, batch: int, steps: int, precision: str) -> int:
    """Run a side, and write when its optimizers took their steps."""
    torch.set_num_threads(2)
    told, times = json.loads((place / "told.json").read_text()), []
    register_optimizer_step_post_hook(lambda *_: times.append(time.perf_counter()))
    if told["name"] == "theirs":
        train_theirs(told, batch, steps, precision)
        per_step = 1
    else:
        per_step = train_ours(told, batch, steps, precision)
    (place / "times.json").write_text(json.dumps(times[per_step - 1 :: per_step]))
    return 0


def train_theirs(told: dict[str, str], batch: int, steps: int, precision: str) -> None:
    """Run diffusers' script."""
    folder = told["folder"]
    sys.argv = [
        told["peer"],
        f"--pretrained_model_name_or_path={MODEL}",
        f"--instance_data_dir={folder}/subject",
        f"--class_data_dir={folder}/class",
        f"--output_dir={told['place']}/model",
        f"--instance_prompt={PROMPT}",
        f"--class_prompt={CLASS_PROMPT}",
        f"--num_class_images={IMAGES}",
        f"--train_batch_size={batch}",
        f"--max_train_steps={steps}",
        f"--resolution={SIZE}",
        f"--learning_rate={RATE}",
        f"--mixed_precision={'bf16' if precision == 'bfloat16' else 'no'}",
        "--with_prior_preservation",
        "--train_text_encoder",
        "--lr_scheduler=constant",
        "--lr_warmup_steps=0",
        "--checkpointing_steps=1000000",
    ]
    if not is_torchvision_available():  # asked, and remembered, before the stand-in is seen
        sys.path.insert(0, str(HERE / "stand_ins"))
    runpy.run_path(told["peer"], run_name="__main__")


def train_ours(told: dict[str, str], batch: int, steps: int, precision: str) -> int:
    """Run our loop, and return how many optimizers take a step each time."""
    from pipeline_lib.dreambooth.latents import tiles_to_moments
    from pipeline_lib.dreambooth.objective import DreamBooth, settings_to_course
    from pipeline_lib.dreambooth.training_data import assemble
    from pipeline_lib.dreambooth.weights import prepare_model
    from pipeline_lib.imaging.views import View
    from pipeline_lib.models.loading import load_model
    from pipeline_lib.models.pictures import scale_latents
    from pipeline_lib.settings.trained_concepts import TrainedConcept
    from pipeline_lib.settings.training import TrainingSettings
    from pipeline_lib.training.devices import make_accelerator
    from pipeline_lib.training.running import run_training
    from pipeline_lib.training.trainer import Trainer

    place = Path(told["place"])
    (place / "base.json").write_text(json.dumps({"name": "base", "folder": str(MODEL)}))
    model = load_model(place / "base.json")
    stacks = {kind: read_pictures(Path(told["folder"]) / kind) for kind in ("subject", "class")}
    moments = {kind: tiles_to_moments(model, one, [View()], 8) for kind, one in stacks.items()}
    mean, deviation = moments["subject"]
    latents = {"train.mean": mean, "train.std": deviation, "validation.mean": mean[:0]}
    priors = {CLASS_PROMPT: scale_latents(model, moments["class"][0][:, 0])}
    concept = TrainedConcept(
        concept="yeast",
        dataset="yeast",
        identifier="zbk",
        noun="budding yeast",
        modality="brightfield",
        training_prompt="a {modality} microscopy image of {subject}",
        class_prompt=CLASS_PROMPT,
    )
    settings = TrainingSettings(
        steps=steps,
        batch_size=batch,
        learning_rate=RATE,
        text_encoder_learning_rate=RATE,
        checkpoint_every=10 * steps,
        preview_every=10 * steps,
        preview_count=1,
        precision=precision,
    )
    dtype = getattr(torch, precision)
    prepare_model(model, settings, dtype)
    objective = DreamBooth(model, assemble(model, [concept], ["zbk"], [latents], priors), settings)
    trainer = Trainer(
        objective, settings_to_course(settings, model.device), make_accelerator(dtype, model.device)
    )
    run_training(trainer, place / "state", "ours")
    return len(trainer.optimizers)


def read_pictures(folder: Path) -> npt.NDArray[np.uint8]:
    """Return a folder's pictures, grey."""
    from skimage.io import imread

    return np.stack([imread(path)[..., 0] for path in sorted(folder.glob("*.png"))])


if __name__ == "__main__":
    sys.exit(main())
