"""Turn real pictures of the class into class images for the prior-preservation loss.

They stand in the place of those that the frozen base model draws: same files, same layout.
"""

from __future__ import annotations

import argparse
import json
import time

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance
from pipeline_lib.imaging.class_images import fields_to_class_images
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.imaging.field_files import FieldFile
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.real_priors import PriorImagesStage

BATCH_SIZE = 16
PICTURES_IN_SHEET = 64


def main(settings: PriorImagesStage, paths: argparse.Namespace) -> None:
    """Read, cut and encode; then write the latents, and the images to look at."""
    from safetensors.torch import save_file

    from pipeline_lib.dreambooth.class_latents import class_images_to_latents
    from pipeline_lib.models.loading import load_model

    begun = time.monotonic()
    prior = settings.prior
    try:
        fields = {str(path): FieldFile(path, prior.reading) for path in paths.files}
        images = fields_to_class_images(fields, prior)
    except UserError as error:
        raise UserError(f"priors.{settings.name}: {error}") from None
    model = load_model(paths.model)
    batch_size = paths.batch_size or BATCH_SIZE
    latents = class_images_to_latents(model, images, settings.name, batch_size)
    made = provenance("prior_images", settings.model_dump(mode="json"))
    inputs = {path.name: file_to_sha256(path) for path in [paths.model, *paths.files]}
    origin = {**made, "inputs": inputs}
    metadata = {"prior": settings.name, "first": "0", "origin": json.dumps(origin)}
    with atomic_path(paths.latents) as beside:
        save_file({"latents": latents}, beside, metadata)
    took = {"seconds": round(time.monotonic() - begun, 1), "device": str(model.device)}
    write_stack(paths.images, images, {"synthetic": False, **origin, **took})
    label = f"{settings.name}: {prior.class_prompt}"
    sheet = images_to_contact_sheet([(label, images[:PICTURES_IN_SHEET])])
    write_png(paths.contact_sheet, sheet)


if __name__ == "__main__":
    run_stage(
        __doc__,
        PriorImagesStage,
        {
            "model": "description of the base model (.json)",
            "files...": "pictures of the class (TIFF, PNG or JPEG)",
            "images": "class images to write, to look at (.tif)",
            "latents": "their latents as the UNet sees them (.safetensors)",
            "contact_sheet": "picture of the first of them (.png)",
        },
        main,
        {"batch_size": f"images encoded at once, {BATCH_SIZE} if it is not given"},
    )
