"""Simulate brightfield pictures with their truth: 16-bit OME-TIFFs, label masks and tables.

Writes into one folder: `images/*.ome.tif` (camera counts and pixel size, as a microscope would save
them), `masks/*.tif` (0 is background, 1, 2, ... the objects), `pictures.tsv` (a row a picture),
`objects.tsv` (a row an object) and `provenance.json`. The same arguments give the same files.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from tqdm import tqdm

from pipeline_lib.command_line import USER_ERROR_EXIT
from pipeline_lib.files import atomic_path, provenance, write_json
from pipeline_lib.imaging.tables import write_table
from pipeline_lib.optics import KINDS, Picture, draw_scene_settings, simulate_picture
from pipeline_lib.optics.placement import DENSITIES
from pipeline_lib.optics.scenes import ILLUMINATIONS
from pipeline_lib.settings.base import UserError

OBJECT_COLUMNS = ("mask", "label", "row_um", "column_um", "diameter_um")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder to write into; made if it is not there")
    add("--number", type=int, default=10, help="how many pictures (default: %(default)s)")
    add("--seed", type=int, default=0, help="0 or more (default: %(default)s)")
    add("--kind", choices=KINDS, help="kind of object (default: drawn)")
    add("--rows", type=int, default=512, help="height in pixels (default: %(default)s)")
    add("--columns", type=int, default=512, help="width in pixels (default: %(default)s)")
    add("--pixel-size-um", type=float, help="micrometres a pixel (default: drawn for the kind)")
    add("--density", choices=DENSITIES, help="how full the field is (default: drawn)")
    add("--illumination", choices=ILLUMINATIONS, help="direction of the light (default: drawn)")
    add("--defocus-um", type=float, help="positive: behind focus, cells bright (default: drawn)")
    add("--same-settings", action="store_true", help="one set of settings for all pictures")
    return parser.parse_args()


def iterate_pictures(arguments: argparse.Namespace) -> Iterator[tuple[str, Picture]]:
    """Yield names and pictures; picture k depends on the seed, k and the given settings alone."""
    for number in range(arguments.number):
        key = (arguments.seed, number)
        settings = draw_scene_settings(
            (arguments.seed, 0) if arguments.same_settings else key,
            arguments.kind,
            (arguments.rows, arguments.columns),
            source_rings=3,
            density=arguments.density,
            illumination=arguments.illumination,
            pixel_size_um=arguments.pixel_size_um,
            defocus_um=arguments.defocus_um,
        )
        name = f"{settings.kind.replace(' ', '-')}-{arguments.seed}-{number:05d}"
        yield name, simulate_picture(key, settings)


def write_picture(folder: Path, name: str, picture: Picture) -> None:
    """Write counts and labels."""
    size = picture.settings.pixel_size_um
    metadata = {
        "axes": "YX",
        "PhysicalSizeX": size,
        "PhysicalSizeY": size,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
        "Description": f"synthetic: {picture.caption}",
    }
    with atomic_path(folder / "images" / f"{name}.ome.tif") as beside:
        tifffile.imwrite(
            beside, picture.image.astype(np.uint16), ome=True, metadata=metadata, compression="zlib"
        )
    with atomic_path(folder / "masks" / f"{name}.tif") as beside:
        tifffile.imwrite(beside, picture.labels.astype(np.uint16), compression="zlib")


def picture_to_row(name: str, picture: Picture) -> dict[str, object]:
    """Return the truth of a picture as a row."""
    settings = picture.settings
    return {
        "image": f"images/{name}.ome.tif",
        "mask": f"masks/{name}.tif",
        "kind": settings.kind,
        "density": settings.density,
        "count": picture.count,
        "focus": settings.focus,
        "defocus_um": settings.defocus_um,
        "illumination": settings.illumination,
        "azimuth_degrees": float(np.degrees(settings.illumination_azimuth)),
        "well_edge": settings.well_edge,
        "pixel_size_um": settings.pixel_size_um,
        "background_counts": settings.camera.background,
        "gain": settings.camera.gain,
        "caption": picture.caption,
    }


def picture_to_object_rows(name: str, picture: Picture) -> list[dict[str, object]]:
    """Return the truth of a picture's objects as rows."""
    truth = zip(picture.centres_um, picture.diameters_um, strict=True)
    return [
        dict(
            zip(
                OBJECT_COLUMNS,
                (f"masks/{name}.tif", label, float(row), float(column), float(diameter)),
                strict=True,
            )
        )
        for label, ((row, column), diameter) in enumerate(truth, start=1)
    ]


def main() -> None:
    """Simulate, write, and say where."""
    arguments = parse_arguments()
    if arguments.number < 1 or arguments.seed < 0:
        raise UserError(
            f"--number is {arguments.number} and --seed {arguments.seed}: a number of at least 1 "
            "and a seed of at least 0 are needed"
        )
    pictures, objects = [], []
    for name, picture in tqdm(iterate_pictures(arguments), total=arguments.number, unit="picture"):
        write_picture(arguments.out, name, picture)
        pictures.append(picture_to_row(name, picture))
        objects.extend(picture_to_object_rows(name, picture))
    write_table(arguments.out / "pictures.tsv", list(pictures[0]), pictures)
    write_table(arguments.out / "objects.tsv", OBJECT_COLUMNS, objects)
    chosen = {name: value for name, value in vars(arguments).items() if name != "out"}
    made = {"synthetic": True, **provenance("simulate", chosen)}
    write_json(arguments.out / "provenance.json", made)
    logging.info("%d pictures in %s", arguments.number, arguments.out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        main()
    except UserError as error:
        logging.error("error: %s", error)
        sys.exit(USER_ERROR_EXIT)
