"""Train an embedded model by its recipe, from simulated pictures to a folder to load.

The kind `base` is the text-to-image model, `upscaler` what enlarges pictures four times; this one
reads words by the tokenizer and the text encoder of another model, which are taken as they are.
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from tqdm import tqdm

from pipeline_lib.command_line import USER_ERROR_EXIT, validation_to_message
from pipeline_lib.files import read_json, write_json
from pipeline_lib.models.recipe.settings import KINDS, Recipe, change_recipe
from pipeline_lib.settings.base import UserError

if TYPE_CHECKING:
    from pipeline_lib.models.recipe.pictures import CaptionedPictures

# Batches are shared among threads that use one core each (Recipe.parts); without this, torch would
# use all cores in every one of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

MODELS = Path("resources/base_models")
BUILDS = {"base": Path("work/base-model"), "upscaler": Path("work/base-model-x4")}
NAMES = {kind: recipe.name for kind, recipe in KINDS.items()}


@dataclass(frozen=True)
class Folders:
    """Results in between, the finished model, and the model whose words an upscaler reads."""

    build: Path
    model: Path
    words: Path


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    builds = ", ".join(map(str, BUILDS.values()))
    models = ", ".join(NAMES.values())
    add("--kind", choices=KINDS, default="base", help="what is trained (%(default)s)")
    add("--build", type=Path, help=f"folder of results in between ({builds})")
    add("--model", type=Path, help=f"folder of the finished model ({models} in {MODELS})")
    add(
        "--words",
        type=Path,
        help="folder of the model whose tokenizer and text encoder an upscaler reads prompts by "
        f"({MODELS / NAMES['base']})",
    )
    add("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="default: all")
    add(
        "--settings",
        default="{}",
        help="JSON object of what differs from pipeline_lib.models.recipe.settings.Recipe, such as "
        '{"device": "cuda", "parts": 1, "denoiser": {"steps": 20000}}',
    )
    add("--minutes", type=float, help="choose the steps of both trainings to take about so long")
    arguments = parser.parse_args()
    arguments.build = arguments.build or BUILDS[arguments.kind]
    arguments.model = arguments.model or MODELS / NAMES[arguments.kind]
    return arguments


def fixed_recipe(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe of a build folder: its own, or the arguments' for a new one."""
    path = arguments.build / "recipe.json"
    changes = json.loads(arguments.settings)
    asked = change_recipe(KINDS[arguments.kind], changes)
    if not path.exists():
        recipe = asked
        if arguments.minutes is not None:
            from pipeline_lib.models.recipe.timing import minutes_to_recipe

            recipe = minutes_to_recipe(recipe, arguments.minutes)
        write_json(path, recipe.model_dump(mode="json"))
        return recipe
    recipe = Recipe.model_validate(read_json(path))
    if changes and recipe != asked:
        raise UserError(
            f"{path} was begun with other settings than --settings says; give another --build "
            "folder, or no --settings to go on"
        )
    if (recipe.low_resolution is None) != (asked.low_resolution is None):
        raise UserError(
            f"{path} was begun for another kind of model than --kind {arguments.kind}; give that "
            "kind, or another --build folder"
        )
    return recipe


def fixed_words(arguments: argparse.Namespace, recipe: Recipe) -> Path:
    """Return the model whose words are read, which a build that is gone on with has taken."""
    if arguments.words is None:
        return MODELS / NAMES["base"]
    if recipe.low_resolution is not None:
        from pipeline_lib.models.recipe.storage import refuse_other_words

        refuse_other_words(arguments.words, arguments.build)
    return arguments.words


def make_pictures(recipe: Recipe, folders: Folders) -> None:
    """Simulate the captioned pictures in shards, several processes at once."""
    from pipeline_lib.models.recipe.storage import make_shard, shard_ranges

    starts, stops = zip(*shard_ranges(recipe.pictures), strict=True)
    work = partial(make_shard, recipe.pictures, folders.build / "pictures")
    with ProcessPoolExecutor(recipe.workers) as pool:
        done = pool.map(work, starts, stops)
        list(tqdm(done, total=len(starts), desc="pictures", disable=None))


def make_tokenizer(recipe: Recipe, folders: Folders) -> None:
    """Learn the vocabulary from captions and plain English, or take another model's words."""
    from pipeline_lib.files import atomic_path

    if recipe.low_resolution is not None:
        from pipeline_lib.models.recipe.storage import take_words

        take_words(folders.words, folders.build)
    elif not (folders.build / "tokenizer").exists():
        from pipeline_lib.models.recipe.tokenizer import train_tokenizer

        tokenizer = train_tokenizer(_pictures(recipe, folders).captions, recipe.tokenizer)
        with atomic_path(folders.build / "tokenizer") as beside:
            tokenizer.save_pretrained(beside)


def make_decoder(recipe: Recipe, folders: Folders) -> None:
    """Train the decoder, and write the autoencoder with its constructed encoder."""
    from pipeline_lib.models.recipe.autoencoder import train_decoder
    from pipeline_lib.models.recipe.export import export_autoencoder

    images = _pictures(recipe, folders).images
    train_decoder(recipe, images, folders.build / "decoder")
    export_autoencoder(recipe, images, folders.build)


def make_denoiser(recipe: Recipe, folders: Folders) -> None:
    """Train the UNet, with it a text encoder of its own, and draw pictures now and then."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    from pipeline_lib.models.recipe.denoiser import train_denoiser
    from pipeline_lib.models.recipe.storage import read_text_encoder

    build = folders.build
    drawn = (build / "vae").exists()
    if not drawn:
        logging.info("no previews: the stage decoder has not been run")
    train_denoiser(
        recipe,
        _pictures(recipe, folders),
        CLIPTokenizer.from_pretrained(build / "tokenizer"),
        build / "denoiser",
        AutoencoderKL.from_pretrained(build / "vae") if drawn else None,
        read_text_encoder(recipe, build),
    )


def make_model(recipe: Recipe, folders: Folders) -> None:
    """Write the folder that pipelines load."""
    from pipeline_lib.models.recipe.export import export_build

    export_build(recipe, folders.build, folders.model)


def check_model(recipe: Recipe, folders: Folders) -> None:
    """Load the model as anybody would, and draw pictures of every kind to look at."""
    from pipeline_lib.models.recipe.checking import check_folder

    check_folder(folders.model, recipe, folders.build / "samples.png")


def _pictures(recipe: Recipe, folders: Folders) -> CaptionedPictures:
    """Read the simulated pictures but the noisiest."""
    from pipeline_lib.models.recipe.pictures import leave_out_noisiest
    from pipeline_lib.models.recipe.storage import read_shards, shard_path, shard_ranges

    pictures = folders.build / "pictures"
    paths = [shard_path(pictures, start) for start, _ in shard_ranges(recipe.pictures)]
    return leave_out_noisiest(read_shards(paths), recipe.pictures.noisiest)


STAGES: dict[str, Callable[[Recipe, Folders], None]] = {
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
        words = fixed_words(arguments, recipe)
        folders = Folders(arguments.build, arguments.model, words)
        for name, stage in STAGES.items():
            if name in arguments.stages:
                logging.info("stage %s", name)
                stage(recipe, folders)
    except ValidationError as error:
        logging.error("error: %s", validation_to_message(error, "--settings"))
        sys.exit(USER_ERROR_EXIT)
    except UserError as error:
        logging.error("error: %s", error)
        sys.exit(USER_ERROR_EXIT)


if __name__ == "__main__":
    main()
