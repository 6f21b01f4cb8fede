"""Give out the accepted images of a run as a data set, and say what was held back and why."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.release import ReleaseStage

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_lib.imaging.intensity import IntensityMap
    from pipeline_lib.release.facts import Release

PATHS = {
    "shards...": "shards of the tuned model, of all concepts (.zip)",
    "copies": "nearest training tile and verdict of each image, .tsv",
    "intensities...": "intensity map of each concept in the settings' order, .json",
    "tables...": "table of the training tiles of each concept, likewise, .tsv",
    "model": "folder of the trained model",
    "base": "description of its base model (.json)",
    "sidecars...": "sidecars of the fields (.json), by which the files it was trained on are named",
    "release": "folder to write",
}
WRITTEN = ("file", "scale", "pixel_size_um", "sha256")  # what the manifest says of a written image


class Scale(NamedTuple):
    """How grey becomes what is given out: intensity map, type of the fields' pixels, pixel size."""

    intensity: IntensityMap
    dtype: str
    pixel_size_um: float | None


def work(stage: ReleaseStage, paths: argparse.Namespace) -> None:
    """Share the images out, write the accepted ones, and what is told of them."""
    from pipeline_lib.evaluation.image_sets import read_manifests
    from pipeline_lib.evaluation.releases import choose_released
    from pipeline_lib.files import atomic_path, sweep
    from pipeline_lib.frames import read_frame

    copies = read_frame(paths.copies)
    rows = read_manifests(paths.shards)
    accepted, held_back = choose_released(rows, copies, stage.release.hold_back_copies)
    tables = by_concept(stage, paths.tables, "--tables")
    scales = read_scales(stage, paths, tables)
    sweep(paths.release.parent, paths.release.name)
    with atomic_path(paths.release) as beside:
        beside.mkdir()
        images = write_images(accepted, stage, scales, beside)
        release = read_facts(stage, paths, tables, images, held_back)
        held_back.to_csv(beside / "held_back.tsv", sep="\t", index=False)
        write_descriptions(release, paths, beside)
    logging.info("%d images released, %d held back", len(accepted), len(held_back))


def by_concept(stage: ReleaseStage, paths: list[Path], option: str) -> dict[str, Path]:
    """Return the path of each concept."""
    from pipeline_lib.evaluation import releases

    return releases.by_concept(stage.concepts, paths, option)


def read_scales(
    stage: ReleaseStage, paths: argparse.Namespace, tables: Mapping[str, Path]
) -> dict[str, Scale]:
    """Return the scale of each concept."""
    from pipeline_lib.evaluation.image_sets import table_to_pixel_size
    from pipeline_lib.files import read_json
    from pipeline_lib.imaging.intensity import record_to_intensity

    maps = by_concept(stage, paths.intensities, "--intensities")
    records = {name: read_json(path) for name, path in maps.items()}
    return {
        name: Scale(record_to_intensity(one), one["dtype"], table_to_pixel_size(tables[name]))
        for name, one in records.items()
    }


def write_images(
    accepted: pd.DataFrame, stage: ReleaseStage, scales: Mapping[str, Scale], folder: Path
) -> pd.DataFrame:
    """Write the accepted images and their manifest, and return its rows."""
    import pandas as pd
    from tqdm import tqdm

    from pipeline_lib.sampling.shard_files import MANIFEST, read_origins, read_pictures

    rows = accepted.to_dict("records")
    drawn = zip(rows, read_pictures(accepted["path"]), read_origins(accepted["path"]), strict=True)
    written = [
        write_released(*one, stage, scales[one[0]["concept"]], folder)
        for one in tqdm(drawn, total=len(rows), desc="release", disable=None)
    ]
    told = pd.DataFrame(written, columns=list(WRITTEN), index=accepted.index)
    dropped = accepted.drop(columns=["path", "name", *(set(WRITTEN) & set(accepted.columns))])
    images = pd.concat([dropped, told], axis=1)
    images.to_parquet(folder / MANIFEST, index=False)
    return images


def write_released(
    row: Mapping[str, Any],
    image: Any,
    origin: Mapping[str, Any],
    stage: ReleaseStage,
    scale: Scale,
    folder: Path,
) -> tuple[str, str, float | None, str]:
    """Write one image in the wanted scale and return what the manifest says of it."""
    from pipeline_lib.evaluation.releases import grey_to_scale
    from pipeline_lib.imaging.digests import pixels_to_sha256
    from pipeline_lib.imaging.png_writing import write_png_image
    from pipeline_lib.imaging.writing import write_image, write_plain_image
    from pipeline_lib.release.facts import SUFFIXES

    wanted = stage.release
    pixels = grey_to_scale(image, scale.intensity, wanted.scale, scale.dtype)
    write = {"png": write_png_image, "tiff": write_plain_image, "ome-tiff": write_image}
    file = Path(f"{row['name']}{SUFFIXES[wanted.format]}")
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    limits = {"low": scale.intensity.low, "high": scale.intensity.high}
    release = {"run": stage.run, "scale": wanted.scale, **limits}
    told = {**origin, "synthetic": True, "release": release}
    write[wanted.format](folder / file, pixels, scale.pixel_size_um, told)
    return file.as_posix(), wanted.scale, scale.pixel_size_um, pixels_to_sha256(pixels)


def read_facts(
    stage: ReleaseStage,
    paths: argparse.Namespace,
    tables: Mapping[str, Path],
    images: pd.DataFrame,
    held_back: pd.DataFrame,
) -> Release:
    """Return what is told of the release."""
    from pipeline_lib.files import read_json
    from pipeline_lib.frames import read_frame
    from pipeline_lib.models.cards import TRAINED_CARD
    from pipeline_lib.release.captions import prompt_to_caption
    from pipeline_lib.release.facts import Release, held_back_by_reason, trained_sources

    card = read_json(paths.model / TRAINED_CARD)
    captions = [
        prompt_to_caption(prompt, card["concepts"][concept], stage.release.captions)
        for prompt, concept in zip(images["prompt"], images["concept"], strict=True)
    ]
    trained = {name: read_frame(path) for name, path in tables.items()}
    return Release(
        run=stage.run,
        settings=stage.release,
        images=images.assign(caption=captions),
        held_back=held_back_by_reason(held_back),
        card=card,
        base=read_json(paths.base),
        sources=tuple(trained_sources(trained, [read_json(path) for path in paths.sidecars])),
    )


def write_descriptions(release: Release, paths: argparse.Namespace, folder: Path) -> None:
    """Write the tables, cards and descriptions that others' tools read, and the sums of all."""
    from pipeline_lib.files import file_to_sha256, folder_to_sha256, write_json, write_text
    from pipeline_lib.release.cards import (
        DATA_CARD,
        MODEL_CARD,
        release_to_data_card,
        release_to_model_card,
    )
    from pipeline_lib.release.croissant import CROISSANT, release_to_croissant
    from pipeline_lib.release.facts import release_to_provenance
    from pipeline_lib.release.tables import METADATA, images_to_metadata

    images_to_metadata(release.images).to_csv(folder / METADATA, index=False)
    table = file_to_sha256(folder / METADATA)
    write_json(folder / CROISSANT, release_to_croissant(release, table))
    text = (paths.model / "README.md").read_text(encoding="utf-8")
    write_text(folder / MODEL_CARD, release_to_model_card(release, text))
    write_text(folder / DATA_CARD, release_to_data_card(release))
    hashes = {path.name: file_to_sha256(path) for path in (paths.copies, paths.base)}
    shards = {"/".join(path.parts[-3:]): file_to_sha256(path) for path in paths.shards}
    write_json(folder / "provenance.json", release_to_provenance(release, hashes | shards))
    sums = folder_to_sha256(folder).items()
    write_text(folder / "SHA256SUMS", "".join(f"{sum_}  {name}\n" for name, sum_ in sums))


if __name__ == "__main__":
    run_stage(__doc__, ReleaseStage, PATHS, work)
