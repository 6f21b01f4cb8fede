"""Give out the accepted images of a run as OME-TIFF or PNG, and say what was held back and why."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.release import ReleaseStage

PATHS = {
    "shards...": "shards of the tuned model, of all concepts (.zip)",
    "copies": "nearest training tile and verdict of each image, .tsv",
    "intensities...": "intensity map of each concept in the settings' order, .json",
    "tables...": "table of the training tiles of each concept, likewise, .tsv; without them the "
    "images have no pixel size",
    "release": "folder to write",
}


def work(stage: ReleaseStage, paths: argparse.Namespace) -> None:
    """Share the images out, write the accepted ones and both tables."""
    from tqdm import tqdm

    from pipeline_lib.evaluation.image_sets import read_manifests
    from pipeline_lib.evaluation.releases import choose_released
    from pipeline_lib.files import atomic_path, sweep
    from pipeline_lib.frames import read_frame
    from pipeline_lib.sampling.shard_files import MANIFEST, read_origins, read_pictures

    copies = read_frame(paths.copies)
    rows = read_manifests(paths.shards)
    accepted, held_back = choose_released(rows, copies, stage.release.hold_back_copies)
    scales = read_scales(stage.concepts, paths)
    sweep(paths.release.parent, paths.release.name)
    with atomic_path(paths.release) as beside:
        beside.mkdir()
        drawn = zip(
            accepted.to_dict("records"),
            read_pictures(accepted["path"]),
            read_origins(accepted["path"]),
            strict=True,
        )
        records = [
            write_released(row, image, origin, stage, beside, *scales[row["concept"]])
            for row, image, origin in tqdm(drawn, total=len(accepted), desc="release", disable=None)
        ]
        released = accepted.drop(columns=["path", "name", "sha256"])
        released.assign(**list_to_columns(records)).to_parquet(beside / MANIFEST, index=False)
        held_back.to_csv(beside / "held_back.tsv", sep="\t", index=False)
    logging.info("%d images released, %d held back", len(accepted), len(held_back))


def read_scales(
    concepts: Sequence[str], paths: argparse.Namespace
) -> dict[str, tuple[Any, str, float | None]]:
    """Return the intensity map, the type of the fields' pixels and their size for each concept."""
    from pipeline_lib.evaluation.image_sets import table_to_pixel_size
    from pipeline_lib.evaluation.releases import by_concept
    from pipeline_lib.files import read_json
    from pipeline_lib.imaging.intensity import record_to_intensity

    maps = by_concept(concepts, paths.intensities, "--intensities")
    records = {name: read_json(path) for name, path in maps.items()}
    tables = by_concept(concepts, paths.tables, "--tables") if paths.tables else {}
    sizes = {name: table_to_pixel_size(path) for name, path in tables.items()}
    return {
        name: (record_to_intensity(record), record["dtype"], sizes.get(name))
        for name, record in records.items()
    }


def write_released(
    row: dict[str, Any],
    image: Any,
    origin: dict[str, Any],
    stage: ReleaseStage,
    folder: Path,
    intensity: Any,
    dtype: str,
    pixel_size: float | None,
) -> dict[str, Any]:
    """Write one image in the wanted scale and return what the manifest says of it."""
    from pipeline_lib.evaluation.releases import grey_to_scale
    from pipeline_lib.imaging.png_writing import write_png_image
    from pipeline_lib.imaging.writing import write_image
    from pipeline_lib.sampling.manifests import pixels_to_sha256

    scale = stage.release.scale
    pixels = grey_to_scale(image, intensity, scale, dtype)
    suffix, write = {"png": (".png", write_png_image), "ome-tiff": (".tif", write_image)}[
        stage.release.format
    ]
    file = Path(f"{row['name']}{suffix}")
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    release = {"run": stage.run, "scale": scale, "low": intensity.low, "high": intensity.high}
    write(folder / file, pixels, pixel_size, {**origin, "release": release})
    return {
        "file": file.as_posix(),
        "scale": scale,
        "pixel_size_um": pixel_size,
        "sha256": pixels_to_sha256(pixels),
    }


def list_to_columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return records as columns."""
    names = ("file", "scale", "pixel_size_um", "sha256")
    return {name: [record[name] for record in records] for name in names}


if __name__ == "__main__":
    run_stage(__doc__, ReleaseStage, PATHS, work)
