"""What the page shows of one concept, made from the values of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.intensities import images_to_grey_shares
from pipeline_lib.evaluation.spectra import images_to_mean_spectrum
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.reporting.answers import Answers
from pipeline_lib.reporting.bars import metrics_to_bars
from pipeline_lib.reporting.decoders import cost_to_table
from pipeline_lib.reporting.figures import (
    distances_to_png,
    histograms_to_png,
    image_to_png,
    shrink,
    similarities_to_png,
    spectra_to_png,
    transfer_curves_to_png,
)
from pipeline_lib.reporting.inputs import MEASURED_IMAGES, ConceptFiles
from pipeline_lib.reporting.nearest import Nearest, Pair
from pipeline_lib.reporting.object_figures import panels_to_png
from pipeline_lib.reporting.objects import FoundObjects
from pipeline_lib.reporting.pages import ConceptView, PairView, TileRow
from pipeline_lib.reporting.pictures import (
    SEED,
    ScaleBar,
    concept_to_scale_bar,
    concept_to_sheet_rows,
)
from pipeline_lib.reporting.strange_objects import LABEL as STRANGE_LABEL
from pipeline_lib.reporting.strange_objects import StrangeObjects
from pipeline_lib.reporting.tables import (
    Table,
    frame_to_table,
    metrics_to_measured,
    metrics_to_rows,
    number,
    rows_to_columns,
    rows_to_footnotes,
    value_to_rows,
)
from pipeline_lib.reporting.typical import WORDS
from pipeline_lib.reporting.verdicts import Verdict, metrics_to_extractor
from pipeline_lib.reporting.words import metric_to_words

Images = npt.NDArray[np.uint8]
SHOWN_SIDE = 256
CHART_METRICS = ("kernel_distance", "frechet_distance")

COMPRESSED_SENTENCE = (
    " The training tiles were compressed as JPEG: this is their noise from before, and these "
    "images were compressed in the same steps."
)
PIXELS_SENTENCE = (
    "The model draws pixels and so learnt the fine grain of the camera with the rest, as far as it "
    "did: none was given back to its images."
)


def concept_to_view(
    name: str,
    files: ConceptFiles,
    metrics: pd.DataFrame,
    verdict: Verdict,
    answers: Answers,
    nearest: Nearest,
    typical: Mapping[str, tuple[Images, list[int]]],
    objects: FoundObjects,
    strange: StrangeObjects | None,
    sidecars: Sequence[Mapping[str, Any]],
    shown: int,
) -> ConceptView:
    """Make what the page shows of one concept.

    Parameters
    ----------
    name : str
        The concept.
    files : ConceptFiles
        Its images and tables.
    metrics : DataFrame
        The table of metrics.csv.
    verdict : Verdict
        The judgement on it.
    answers : Answers
        The same in plain words.
    nearest : Nearest
        The search for copies of training images.
    typical : mapping
        The best, median and worst synthetic images with their numbers.
    objects : FoundObjects
        What is said and drawn of single objects.
    strange : StrangeObjects or None
        Synthetic objects unlike any held-out one, None where it was not measured.
    sidecars : sequence of mapping
        Of all fields of the run.
    shown : int
        Pictures in a row.

    Returns
    -------
    ConceptView
        Ready for the template.
    """
    curves = _curve_images(files)
    lines = metrics_to_rows(metrics, name)
    scale = concept_to_scale_bar(files)
    return ConceptView(
        name=name,
        verdict=verdict,
        answers=answers,
        bars=metrics_to_bars(metrics, name),
        choice=f"{_choice_sentence(files, shown)} {_scale_sentence(scale)}",
        rows=[
            images_to_row(label, images)
            for label, images in concept_to_sheet_rows(name, files, shown)
        ],
        typical=[
            images_to_row(WORDS[kind], images, numbers)
            for kind, (images, numbers) in typical.items()
        ],
        scale=scale,
        columns=_columns_sentence(metrics, name),
        sets=rows_to_columns(lines),
        metrics=lines,
        footnotes=rows_to_footnotes(lines),
        csv=metrics[metrics["concept"] == name].to_csv(index=False, lineterminator="\n").encode(),
        distances=_distance_chart(metrics, name),
        copies=nearest.sentence,
        compared=nearest.compared,
        pairs=[_pair_view(pair) for pair in nearest.pairs],
        similarities=_similarity_chart(nearest),
        objects=panels_to_png(objects.panels) if objects.panels else b"",
        medians=objects.sentences,
        strange_words="" if strange is None else strange.words,
        strange=None
        if strange is None or not strange.numbers
        else images_to_row(STRANGE_LABEL, strange.pictures, strange.numbers),
        measured_on=_curves_sentence(curves),
        spectrum=spectra_to_png(
            {key: images_to_mean_spectrum(images) for key, images in curves.items()}
        ),
        histogram=histograms_to_png(
            {key: images_to_grey_shares(images) for key, images in curves.items()}
        ),
        camera=PIXELS_SENTENCE if files.in_pixels else camera_to_sentence(files.camera),
        camera_curves=transfer_curves_to_png(files.camera["curves"]) if files.camera else b"",
        data=concept_to_tables(files, sidecars),
        decoder=cost_to_table(files.decoder),
    )


def images_to_row(label: str, images: Images, numbers: Sequence[int] | None = None) -> TileRow:
    """Make a labelled row of pictures.

    Parameters
    ----------
    label : str
        Of the row.
    images : ndarray of uint8, shape (images, rows, columns) or (images, rows, columns, 3)
        The pictures.
    numbers : sequence of int, optional
        Numbers of the images in their set; without them they are counted from 1.

    Returns
    -------
    TileRow
        At a side that suits a page.
    """
    named = (
        [f"image {place + 1}" for place in range(len(images))]
        if numbers is None
        else [f"image #{one}" for one in numbers]
    )
    return TileRow(label, _tiles(images), [f"{label}, {name}" for name in named])


def _tiles(images: Images) -> list[bytes]:
    """Encode pictures at a side that suits a page."""
    return [image_to_png(image) for image in shrink(images, SHOWN_SIDE)]


def _choice_sentence(files: ConceptFiles, shown: int) -> str:
    """Say how the shown pictures were chosen."""
    size = f"{files.holdout.shape[2]} x {files.holdout.shape[1]} pixels"
    factor = -(-max(files.holdout.shape[1:]) // SHOWN_SIDE)
    scale = "" if factor == 1 else f", shown at 1/{factor} of it (full size in contact_sheet.png)"
    return (
        f"Nobody chose these pictures. Real: drawn at random (seed {SEED}) from the held-out "
        "tiles; below them the same tiles through the VAE and back. Synthetic and untuned: the "
        f"first {shown} by index, which began from random noise{_noise_words(files, shown)}. All "
        f"rows have the same grey scale, none is stretched. Tiles are {size}{scale}."
    )


def _scale_sentence(scale: ScaleBar | None) -> str:
    """Say how long the bar is, or why there is none."""
    if scale is None:
        return "Without one known pixel size there is no scale bar."
    return f"The bar is {scale.words} long."


def _noise_words(files: ConceptFiles, shown: int) -> str:
    """Say so where the shown pictures of both models began from the same noise."""
    tuned, untuned = (
        list(samples.manifest["key"].head(shown)) for samples in (files.tuned, files.untuned)
    )
    return "; those in the same place began from the same noise" if tuned == untuned else ""


def _columns_sentence(metrics: pd.DataFrame, concept: str) -> str:
    """Say what the columns of the metrics table are."""
    own = metrics[metrics["concept"] == concept]
    words = (
        "Each value compares a set of images with held-out real tiles. Tuned: synthetic images. "
        "Untuned: the base before fine-tuning. Floor: the real training tiles. VAE's cost: the "
        "held-out tiles sent through the VAE and back, with camera noise if synthetic images have "
        "it."
    )
    if (own["set"] == "class").any():
        words += " Class: what the tuned model draws for the prompt without its identifier."
    if (own["set"] == "holdout").any():
        words += " Held-out: these tiles by themselves."
    if (own["reference"] == "train").any():
        words += " Grey rows compare with the training tiles instead."
    return words


def _distance_chart(metrics: pd.DataFrame, concept: str) -> bytes:
    """Draw the feature distances that were measured, empty bytes if none was."""
    extractor = metrics_to_extractor(metrics, concept)
    panels = {
        metric_to_words(metric, extractor).label: metrics_to_measured(
            metrics, concept, metric, extractor
        )
        for metric in CHART_METRICS
    }
    measured = {label: sets for label, sets in panels.items() if sets}
    return distances_to_png(measured) if measured else b""


def _pair_view(pair: Pair) -> PairView:
    """Encode a pair of pictures with their difference and write its caption."""
    synthetic, training, difference = _tiles(
        np.stack([pair.synthetic, pair.training, pair.difference()])
    )
    judged = {"copy": " (copy)", "resembles": " (resembles)"}.get(pair.verdict, "")
    words = f"#{pair.index}: {number(pair.similarity)}{judged}. {pair.place}"
    return PairView(pair.index, synthetic, training, difference, words, pair.verdict == "copy")


def _similarity_chart(nearest: Nearest) -> bytes:
    """Draw the similarities of all sets, none where nothing was compared."""
    if not nearest.compared:
        return b""
    return similarities_to_png(nearest.similarities, nearest.thresholds)


def camera_to_sentence(camera: Mapping[str, Any] | None) -> str:
    """Say whether the camera's noise was given back.

    Parameters
    ----------
    camera : mapping or None
        What the stage `camera` measured; None where its noise was not wanted.

    Returns
    -------
    str
        One sentence, or two where the tiles were compressed.
    """
    if camera is None:
        return (
            "The fine grain of the camera, which the base model's autoencoder wipes off, was not "
            "given back (sampling.camera_noise: none), so images made by a model are smoother "
            "than real ones."
        )
    deviation = float(np.sqrt(np.mean(camera["variance"] or [0.0])))
    if not deviation:
        return (
            "No grain of the camera was found that the base model's autoencoder wipes off, so "
            "none was given back."
        )
    return (
        "The fine grain of the camera, which the base model's autoencoder wipes off, was measured "
        f"on the training tiles (a deviation of {deviation:.1f} of 255 grey levels) and given back "
        "to all images made by a model and to the tiles sent through the VAE."
        + (COMPRESSED_SENTENCE if np.any(camera["steps"]) else "")
    )


def _curve_images(files: ConceptFiles) -> dict[str, Images]:
    """Return the sets that the curves are drawn of, those that hold pictures."""
    sets = {
        "real": files.holdout[even_choice(len(files.holdout), MEASURED_IMAGES)],
        "tuned": files.tuned.first,
        "untuned": files.untuned.first,
        "vae": files.roundtrip[even_choice(len(files.roundtrip), MEASURED_IMAGES)],
    }
    return {name: images for name, images in sets.items() if len(images)}


def _curves_sentence(curves: Mapping[str, Images]) -> str:
    """Say how many images the curves stand on."""
    counts = ", ".join(
        f"{len(images)} {words}"
        for key, words in (
            ("real", "held-out real"),
            ("tuned", "synthetic"),
            ("untuned", "untuned"),
            ("vae", "sent through the VAE"),
        )
        if (images := curves.get(key)) is not None
    )
    return f"Means over images: {counts}."


def concept_to_tables(files: ConceptFiles, sidecars: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Say what data went into a concept.

    Parameters
    ----------
    files : ConceptFiles
        Its tables.
    sidecars : sequence of mapping
        Of all fields of the run; those of other concepts are left out.

    Returns
    -------
    list of Table
        Warnings of the split and the map, sources, regions and roles, tiles, quality verdicts,
        intensity map.
    """
    sources = set(files.split["source"]) | set(files.quality["source"])
    own = pd.DataFrame([dict(sidecar) for sidecar in sidecars if sidecar["source"] in sources])
    tables = [
        Table(
            "What to know of this split and map",
            [],
            [[warning] for warning in files.intensity.get("split_warnings", [])],
        ),
        _sources_table(own),
        _split_table(files.split),
        _tiles_table(files),
        _quality_table(files.quality),
        Table(
            "Map from camera counts to 8 bits",
            [],
            list(value_to_rows(_fitted_map(files.intensity))),
        ),
    ]
    return [table for table in tables if table.rows]


def _fitted_map(intensity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of an intensity map, without the record of its making."""
    return {
        key: value
        for key, value in intensity.items()
        if key not in ("provenance", "split_warnings")
    }


def _sources_table(sidecars: pd.DataFrame) -> Table:
    """Say which raw files there were."""
    headings = {
        "source": "source",
        "file": "file",
        "axes": "axes",
        "pixel_size_um": "pixel size (µm)",
        "sha256": "SHA-256 of the raw file",
        "warnings": "warnings",
    }
    if not len(sidecars):
        return Table("Raw files", [], [])
    texts = sidecars.assign(warnings=sidecars["warnings"].map("; ".join))
    return frame_to_table(texts, "Raw files", headings)


def _split_table(split: pd.DataFrame) -> Table:
    """Say which regions of which sources had which role."""
    keys = ["source", "y0", "y1", "x0", "x1", "group", "role"]
    regions = split.groupby(keys, sort=False, dropna=False)["plane"].agg(["count"]).reset_index()
    rows = [
        [
            row.source,
            f"{row.y0}:{row.y1}, {row.x0}:{row.x1}",
            str(row.count_),
            str(row.group),
            row.role,
        ]
        for row in regions.rename(columns={"count": "count_"}).itertuples()
    ]
    head = ["source", "region (y0:y1, x0:x1)", "planes", "group", "role"]
    return Table("Regions and their roles, fixed before tiles were cut", head, rows)


def _tiles_table(files: ConceptFiles) -> Table:
    """Say how many tiles were cut."""
    rows = []
    for role, images, table in (
        ("train", files.train, files.train_table),
        ("holdout", files.holdout, files.holdout_table),
    ):
        sizes = ", ".join(number(size) for size in table["pixel_size_um"].dropna().unique())
        sources = str(table["source"].nunique())
        size = f"{images.shape[1]} x {images.shape[2]}"
        rows.append([role, str(len(images)), sources, size, sizes or "unknown"])
    return Table("Tiles", ["role", "tiles", "from sources", "pixels", "pixel size (µm)"], rows)


def _quality_table(quality: pd.DataFrame) -> Table:
    """Say what the quality check found wrong, and count what passed."""
    bad = quality[quality["verdict"] != "accepted"]
    passed = len(quality) - len(bad)
    caption = f"Quality check: {passed} of {len(quality)} planes passed without remark"
    if not len(bad):
        return Table(caption, [], [["No plane was warned of or refused."]])
    headings = {
        "source": "source",
        "plane": "plane",
        "verdict": "verdict",
        "overruled": "overruled",
        "reason": "reason",
        "mend": "what mends it",
    }
    return frame_to_table(bad, caption, headings)
