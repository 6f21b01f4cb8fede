"""Train the embedded base model by its recipe, from simulated pictures to a folder to load.

Stages, in this order: pictures, tokenizer, decoder, denoiser, export, check. All intermediate
results lie in the build folder; what is there is not made again, and a training that
was interrupted goes on where it was. `export` may be run before the denoiser is done, for a look.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from tqdm import tqdm

from pipeline_lib.command_line import USER_ERROR_EXIT, validation_to_message
from pipeline_lib.files import read_json, write_json
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.settings.base import UserError

if TYPE_CHECKING:
    from pipeline_lib.models.recipe.pictures import CaptionedPictures

# Batches are shared among threads that use one core each (Recipe.parts); without this, torch would
# use all cores in every one of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

BUILD = Path("work/base-model")
MODEL = Path("resources/base_models/brightfield-tiny")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--build", type=Path, default=BUILD, help="folder of results in between (%(default)s)")
    add("--model", type=Path, default=MODEL, help="folder of the finished model (%(default)s)")
    add("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="default: all")
    add(
        "--settings",
        default="{}",
        help="JSON object of what differs from pipeline_lib.models.recipe.settings.Recipe, such as "
        '{"device": "cuda", "parts": 1, "denoiser": {"steps": 20000}}',
    )
    add("--minutes", type=float, help="choose the steps of both trainings to take about so long")
    return parser.parse_args()


def fixed_recipe(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe of a build folder: its own, or the arguments' for a new one."""
    path = arguments.build / "recipe.json"
    asked = json.loads(arguments.settings)
    if not path.exists():
        recipe = Recipe.model_validate(asked)
        if arguments.minutes is not None:
            from pipeline_lib.models.recipe.timing import minutes_to_recipe

            recipe = minutes_to_recipe(recipe, arguments.minutes)
        write_json(path, recipe.model_dump(mode="json"))
        return recipe
    recipe = Recipe.model_validate(read_json(path))
    if asked and recipe != Recipe.model_validate(asked):
        raise UserError(
            f"{path} was begun with other settings than --settings says; give another --build "
            "folder, or no --settings to go on"
        )
    return recipe


def make_pictures(recipe: Recipe, build: Path, model: Path) -> None:
    """Simulate the captioned pictures in shards, several processes at once."""
    from pipeline_lib.models.recipe.storage import make_shard, shard_ranges

    starts, stops = zip(*shard_ranges(recipe.pictures), strict=True)
    work = partial(make_shard, recipe.pictures, build / "pictures")
    with ProcessPoolExecutor(recipe.workers) as pool:
        done = pool.map(work, starts, stops)
        list(tqdm(done, total=len(starts), desc="pictures", disable=None))


def make_tokenizer(recipe: Recipe, build: Path, model: Path) -> None:
    """Learn the vocabulary from captions and plain English."""
    if (build / "tokenizer").exists():
        return
    from pipeline_lib.files import atomic_path
    from pipeline_lib.models.recipe.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(_pictures(recipe, build).captions, recipe.tokenizer)
    with atomic_path(build / "tokenizer") as beside:
        tokenizer.save_pretrained(beside)


def make_decoder(recipe: Recipe, build: Path, model: Path) -> None:
    """Train the decoder, and write the autoencoder with its constructed encoder."""
    from pipeline_lib.models.recipe.autoencoder import train_decoder
    from pipeline_lib.models.recipe.export import export_autoencoder

    images = _pictures(recipe, build).images
    train_decoder(recipe, images, build / "decoder")
    export_autoencoder(recipe, images, build)


def make_denoiser(recipe: Recipe, build: Path, model: Path) -> None:
    """Train UNet and text encoder, and draw a sheet of pictures now and then."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    from pipeline_lib.models.recipe.denoiser import train_denoiser

    drawn = (build / "vae").exists()
    if not drawn:
        logging.info("no previews: the stage decoder has not been run")
    train_denoiser(
        recipe,
        _pictures(recipe, build),
        CLIPTokenizer.from_pretrained(build / "tokenizer"),
        build / "denoiser",
        AutoencoderKL.from_pretrained(build / "vae") if drawn else None,
    )


def make_model(recipe: Recipe, build: Path, model: Path) -> None:
    """Write the folder that pipelines load."""
    from pipeline_lib.models.recipe.export import export_build

    export_build(recipe, build, model)


def check_model(recipe: Recipe, build: Path, model: Path) -> None:
    """Load the model as anybody would, and draw pictures of every kind to look at."""
    from pipeline_lib.models.recipe.checking import check_folder

    check_folder(model, recipe.pictures.size, build / "samples.png")


def _pictures(recipe: Recipe, build: Path) -> CaptionedPictures:
    """Read the simulated pictures but the noisiest."""
    from pipeline_lib.models.recipe.pictures import leave_out_noisiest
    from pipeline_lib.models.recipe.storage import read_shards, shard_path, shard_ranges

    paths = [shard_path(build / "pictures", start) for start, _ in shard_ranges(recipe.pictures)]
    return leave_out_noisiest(read_shards(paths), recipe.pictures.noisiest)


STAGES: dict[str, Callable[[Recipe, Path, Path], None]] = {
    "pictures": make_pictures,
    "tokenizer": make_tokenizer,
    "decoder": make_decoder,
    "denoiser": make_denoiser,
    "export": make_model,
    "check": check_model,
}


def main() -> None:
    """Run the stages that were asked for."""
    arguments = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        recipe = fixed_recipe(arguments)
        for name, stage in STAGES.items():
            if name in arguments.stages:
                logging.info("stage %s", name)
                stage(recipe, arguments.build, arguments.model)
    except ValidationError as error:
        logging.error("error: %s", validation_to_message(error, "--settings"))
        sys.exit(USER_ERROR_EXIT)
    except UserError as error:
        logging.error("error: %s", error)
        sys.exit(USER_ERROR_EXIT)


if __name__ == "__main__":
    main()
