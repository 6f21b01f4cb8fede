"""A small run on disk, simulated by numpy, in the formats of the stages."""

import argparse
import hashlib
import json
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline_lib.dreambooth.objective import DreamBooth
from pipeline_lib.evaluation.decoder_costs import before_and_after
from pipeline_lib.files import write_json
from pipeline_lib.imaging.stacks import read_stack, write_planes, write_stack
from pipeline_lib.imaging.writing import image_to_tiff
from pipeline_lib.models.cards import TRAINED_CARD
from pipeline_lib.sampling import shard_files
from pipeline_lib.sampling.manifests import ManifestRow

SIDE = 64
METRIC_COLUMNS = (
    "metric",
    "extractor",
    "concept",
    "set",
    "reference",
    "value",
    "low",
    "high",
    "n_reference",
    "n_synthetic",
    "fields",
    "flags",
)
ONE_FIELD = "one field: differences cannot be told from chance"


def draw_images(count, seed, softness=1.0, level=128, side=SIDE):
    """Draw noisy images with a bright and a dark blob each."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, side, side))
    for image in images:
        for sign in (1, 1, -1):
            image[tuple(generator.integers(8, side - 8, 2))] = sign * 9000
    blobs = gaussian_filter(images, (0, 5, 5)) - gaussian_filter(images, (0, 7, 7))
    noise = gaussian_filter(generator.normal(0, 14, images.shape), (0, softness, softness))
    return np.clip(level + 2 * blobs + noise, 0, 255).astype(np.uint8)


def metric_row(metric, chosen, value, concept="cells", interval=None, flags="", **changes):
    low, high = interval or (np.nan, np.nan)
    row = {
        "metric": metric,
        "extractor": "efficientnet-lite0",
        "concept": concept,
        "set": chosen,
        "reference": "holdout",
        "value": value,
        "low": low,
        "high": high,
        "n_reference": 60,
        "n_synthetic": 200,
        "fields": 1,
        "flags": flags,
    }
    return row | changes


def metrics_table(rows):
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def usual_metrics(concept="cells", tuned=0.02, flags=ONE_FIELD):
    rows = []
    for chosen, value in (("tuned", tuned), ("untuned", 0.1), ("floor", 0.004), ("vae", 0.012)):
        rows.append(metric_row("kernel_distance", chosen, value, concept, flags=flags))
        rows.append(metric_row("frechet_distance", chosen, 900 * value, concept, flags=flags))
        rows.append(metric_row("spectrum_distance", chosen, 20 * value, concept, extractor="none"))
    for other, value in (("untuned", tuned - 0.1), ("floor", tuned - 0.004)):
        difference = metric_row(
            "kernel_distance_difference", "tuned", value, concept, reference=other, flags=flags
        )
        rows.append(difference)
    for chosen, value in (("tuned", 1 / 23), ("untuned", 0.0), ("floor", 0.0)):
        rows.append(
            metric_row(
                "copy_share",
                chosen,
                value,
                concept,
                (0.0, 0.2),
                extractor="none",
                reference="train",
                n_reference=12,
                n_synthetic=23,
            )
        )
    return rows


@dataclass
class RunOnDisk:
    """Paths of a simulated run by argument name, and the stage's settings."""

    settings: dict
    paths: dict

    def arguments(self):
        return argparse.Namespace(**self.paths)

    def command(self, script):
        command = [script, "--settings", json.dumps(self.settings)]
        for name, value in self.paths.items():
            values = value if isinstance(value, list) else [value]
            command += [f"--{name.replace('_', '-')}", *map(str, values)]
        return command


def write_shard(path, concept, images, model, statuses=None):
    rows = []
    for index, image in enumerate(images):
        status = (statuses or {}).get(index, "ok")
        file = "" if status == "not finite" else f"{index:06d}.tif"
        rows.append(
            ManifestRow(
                index=index,
                key=f"{index:016x}",
                file=file,
                concept=concept,
                prompt_name="subject",
                prompt=f"a microscopy image of zqx {concept}",
                negative_prompt="",
                model=model,
                seed=0,
                scheduler="dpm++",
                spacing="model",
                steps=20,
                guidance=3.0,
                guidance_interval="all",
                camera_noise="none",
                height=image.shape[0],
                width=image.shape[1],
                status=status,
                reason="",
                sha256=hashlib.sha256(image.tobytes()).hexdigest(),
            )
        )
    files = [image_to_tiff(image, 0.6, {}) for image in images]
    shard_files.write_shard(path, zip(rows, files, strict=True))
    write_json(shard_files.shard_to_time_file(path), {"seconds": 90.0, "device": "cuda:0"})
    return path


def write_tile_table(path, count, source):
    rows = [
        {
            "tile": tile,
            "source": source,
            "plane": tile // 2,
            "group": "well-a",
            "y": 0,
            "x": 64 * (tile % 2),
            "scale": 1.0,
            "pixel_size_um": 0.619,
            "caption": "",
        }
        for tile in range(count)
    ]
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    return path


def write_concept(folder, name):
    """Write the files of one concept and return their paths by argument name."""
    folder.mkdir(parents=True)
    seed = len(name)
    train, holdout = draw_images(12, seed), draw_images(20, seed + 50)
    roundtrip = gaussian_filter(holdout, (0, 0.8, 0.8))
    tuned, untuned = draw_images(24, seed + 99, 1.1), draw_images(24, seed + 200, 2.5, 150)
    tuned[5] = np.rot90(train[3])
    stacks = {"train_tiles": train, "holdout_tiles": holdout, "roundtrips": roundtrip}
    paths = {kind: folder / f"{kind}.tif" for kind in stacks}
    for kind, stack in stacks.items():
        write_stack(paths[kind], stack)
    source = f"{name}-frame-0dcfb4cd"
    paths["train_tables"] = write_tile_table(folder / "train.tsv", 12, source)
    paths["holdout_tables"] = write_tile_table(folder / "holdout.tsv", 20, source)
    paths["splits"] = folder / "split.tsv"
    pd.DataFrame(
        [
            {
                "source": source,
                "plane": plane,
                "y0": 0,
                "y1": 64,
                "x0": x0,
                "x1": x0 + 64,
                "group": role,
                "role": role,
                "caption": "",
            }
            for x0, role in ((0, "train"), (64, "holdout"))
            for plane in range(10)
        ]
    ).to_csv(paths["splits"], sep="\t", index=False)
    paths["quality"] = folder / "quality.tsv"
    pd.DataFrame(
        [
            {
                "source": source,
                "plane": plane,
                "verdict": "refused" if plane == 4 else "accepted",
                "sharpness": 3.2,
                "reason": "saturated <b>" if plane == 4 else "",
                "mend": "image it darker" if plane == 4 else "",
                "overruled": plane == 4,
            }
            for plane in range(10)
        ]
    ).to_csv(paths["quality"], sep="\t", index=False)
    paths["cameras"] = write_camera(folder / "camera.json")
    paths["intensities"] = folder / "intensity.json"
    intensity = {"low": 210.0, "high": 3900.0, "method": "fixed"}
    intensity["losses"] = {"clipped_foreground": 0.0431}
    intensity["split_warnings"] = ["4.3% of the pixels of the foreground lie beyond black or white"]
    paths["intensities"].write_text(json.dumps(intensity))
    sidecar = folder / "sidecar.json"
    sidecar.write_text(
        json.dumps(
            {
                "source": source,
                "file": "frame.tif",
                "sha256": "ab" * 32,
                "axes": "TYX",
                "pixel_size_um": 0.619,
                "planes": list(range(10)),
                "warnings": [],
            }
        )
    )
    shards = {
        "tuned_shards": write_shard(folder / "tuned.zip", name, tuned, "demo", {2: "not finite"}),
        "untuned_shards": write_shard(folder / "untuned.zip", name, untuned, "base-tiny"),
    }
    return {**paths, **shards, "sidecars": sidecar}


def write_camera(path, variance=64.0, step=0.0):
    """Write camera noise of one strength at all grey levels, with its curves."""
    grey = [90.0, 128.0, 170.0]
    curves = {
        name: {"grey": grey, "variance": [share * variance] * 3}
        for name, share in (("real", 1.3), ("decoded", 0.3), ("restored", 1.3))
    }
    power = {"spectrum": np.ones((16, 16)).tolist(), "steps": np.full((8, 8), step).tolist()}
    record = {"grey": grey, "variance": [variance] * 3, **power, "curves": curves}
    path.write_text(json.dumps(record))
    return path


def write_run(folder, concepts=("cells",), title="Report"):
    """Write a whole run and return where it is."""
    lists = {}
    for name in concepts:
        for kind, path in write_concept(folder / name, name).items():
            lists.setdefault(kind, []).append(path)
    singles = {
        "metrics": folder / "metrics.csv",
        "copies": folder / "copies.tsv",
        "similarities": folder / "similarities.csv",
        "objects": folder / "objects.csv",
        "counts": folder / "counts.csv",
        "windows": folder / "copies.tif",
        "history": folder / "training.csv",
        "previews": folder / "previews.png",
        "model": folder / "model",
        "page": folder / "report" / "index.html",
        "sheet": folder / "report" / "contact_sheet.png",
        "verdict": folder / "report" / "verdict.txt",
    }
    metrics_table([row for name in concepts for row in usual_metrics(name)]).to_csv(
        singles["metrics"], index=False
    )
    write_copies(singles["copies"], concepts)
    write_similarities(singles["similarities"], concepts)
    write_objects(singles["objects"], concepts)
    write_counts(singles["counts"], concepts)
    trained = [read_stack(path) for path in lists["train_tiles"]]
    write_planes(singles["windows"], [np.rot90(train[3]) for train in trained])
    write_history(singles["history"])
    Image.fromarray(np.concatenate(draw_images(6, 7), axis=1)).save(singles["previews"])
    card = {
        "name": "demo",
        "base": "brightfield-tiny",
        "licence": "MIT",
        "concepts": {
            name: {"identifier": "zqx", "noun": name, "tiles": 12, "dataset": name}
            for name in concepts
        },
        "settings": {"training": {"steps": 60, "learning_rate": 5e-6, "seed": 0}},
        "provenance": {
            "stage": "finetune",
            "device": "cuda:0",
            "packages": {"torch": "2.13.0"},
            "settings": {"training": {"steps": 60, "learning_rate": 5e-6, "seed": 0}},
        },
        "files": {"unet/diffusion_pytorch_model.safetensors": "cd" * 32},
    }
    singles["model"].mkdir()
    (singles["model"] / TRAINED_CARD).write_text(json.dumps(card))
    settings = {
        "run": "demo",
        "report": {"title": title, "rows": 8},
        "concepts": [
            {"concept": name, "dataset": name, "modality": "brightfield"} for name in concepts
        ],
        "confidence": 0.9,
    }
    lists["class_images"] = [write_class_images(folder / "shard-0000.tif")]
    lists["decoder_costs"] = [write_decoder_cost(folder / "cost.json", concepts[0])]
    lists["sweep"] = [write_sweep(folder / "sweep.csv", concepts[0])]
    return RunOnDisk(settings, {**singles, **lists})


def write_decoder_cost(path, dataset):
    """Write what a tuned decoder costs beside the base model's own."""
    tiles = draw_images(4, 5)
    costs = before_and_after(tiles, tiles // 2, tiles // 2 + tiles // 4)
    path.write_text(json.dumps(costs | {"dataset": dataset}))
    return path


def write_sweep(path, concept):
    """Write the distances of two ways of sampling."""
    ways = {"steps": [None, 8, 16], "guidance": [None, 1.0, 1.0], "distance": [0.01, 0.2, 0.1]}
    rows = pd.DataFrame({"concept": concept, **ways, "error": 0.01, "seconds": [None, 0.1, 0.2]})
    rows.to_csv(path, index=False)
    return path


def write_class_images(path, prompt="a microscopy image of cells", seconds=30.0):
    """Write colour pictures as the stage `prior` does."""
    prior = {"class_prompt": prompt, "count": 12}
    record = {"settings": {"prior": prior, "count": 12}, "seconds": seconds, "device": "cuda:0"}
    write_stack(path, np.repeat(draw_images(12, 3, 1.6)[..., None], 3, axis=-1), record)
    return path


def study_paths(folder, runs, tiles, seconds):
    """Write what the study's page needs of some runs that differ in tiles and minutes."""
    folder.mkdir(exist_ok=True)
    paths = {"metrics": [], "histories": [], "models": [], "page": folder / "index.html"}
    paths["holdout_tiles"] = runs[0].paths["holdout_tiles"]
    for place, run in enumerate(runs):
        card = json.loads((run.paths["model"] / TRAINED_CARD).read_text())
        for concept in card["concepts"].values():
            concept["tiles"] = tiles[place]
        history = pd.read_csv(run.paths["history"])
        history["seconds"] *= seconds[place] / history["seconds"].max()
        paths["metrics"].append(run.paths["metrics"])
        paths["histories"].append(folder / f"{place}.csv")
        history.to_csv(paths["histories"][-1], index=False)
        paths["models"].append(folder / f"model-{place}")
        paths["models"][-1].mkdir()
        (paths["models"][-1] / TRAINED_CARD).write_text(json.dumps(card))
    return paths


def write_copies(path, concepts):
    generator = np.random.default_rng(1)
    rows = [
        {
            "concept": name,
            "prompt_name": "subject",
            "index": index,
            "key": f"{index:016x}",
            "source": f"{name}-frame-0dcfb4cd",
            "plane": 1,
            "y": 0.0,
            "x": 64.2,
            "view": int(index == 5),
            "similarity": 0.98 if index == 5 else generator.uniform(0.2, 0.6),
            "structure": 0.9,
            "threshold": 0.81,
            "resemblance_threshold": 0.63,
            "feature_tile": 0,
            "feature_distance": 3.0,
            "feature_threshold": 2.0,
            "copy": index == 5,
            "verdict": "copy" if index == 5 else "new",
            "holdout_distance": abs(index - 9.0),
            "window": number if index in (5, 6) else -1,
        }
        for number, name in enumerate(concepts)
        for index in range(24)
        if index != 2
    ]
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)


def write_similarities(path, concepts):
    generator = np.random.default_rng(2)
    ranges = {"tuned": (0.2, 0.6), "floor": (0.2, 0.63), "remembered": (0.97, 1.0)}
    rows = [
        {"concept": concept, "set": name, "similarity": value}
        for concept in concepts
        for name, limits in ranges.items()
        for value in generator.uniform(*limits, 20)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_objects(path, concepts):
    """Write objects of the sets; synthetic ones are a third larger than real ones."""
    generator = np.random.default_rng(4)
    sizes = {"holdout": 6.0, "tuned": 8.0, "untuned": 12.0, "floor": 6.0, "vae": 6.0}
    rows = [
        {
            "concept": name,
            "set": chosen,
            "image": number // 6,
            "area": 30.0,
            "diameter": generator.gamma(9, size / 9),
            "eccentricity": generator.beta(3, 3),
            "nearest_neighbour": generator.gamma(4, size) if number % 7 else np.nan,
            "ring_contrast": 0.3,
            "rim": number % 5 == 0,
            "unit": "um",
        }
        for name in concepts
        for chosen, size in sizes.items()
        for number in range(120)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_counts(path, concepts):
    """Write how many objects the images have: synthetic ones half as many again as real ones."""
    rows = [
        {
            "concept": name,
            "set": chosen,
            "image": image,
            "count": count + image % 3 - 1,
            "density": 100.0 * (count + image % 3 - 1),
            "density_unit": "mm2",
            "coverage": count / 100,
        }
        for name in concepts
        for chosen, count in {"holdout": 10, "tuned": 15, "untuned": 4, "floor": 10}.items()
        for image in range(6)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_history(path):
    generator = np.random.default_rng(0)
    rows = [
        {
            "step": step,
            "loss": 0.3,
            "subject_loss": 0.1 + generator.gamma(2, 0.05),
            "prior_loss": 0.2 + generator.gamma(2, 0.05),
            "unet_learning_rate": 5e-6,
            "train_loss": 0.2 / step if step % 20 == 0 else np.nan,
            "seconds": 30.0 * step,
        }
        for step in range(1, 61)
    ]
    columns = ("step", *DreamBooth.columns, "unet_learning_rate", "gradient_norm", "seconds")
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


@pytest.fixture(scope="session")
def run_on_disk(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run") / "demo")


class PageText(HTMLParser):
    """What a page holds: texts, tags with attributes, and whether its tags are balanced."""

    VOID = {"meta", "img", "br", "link", "input", "hr"}

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts, self.unbalanced = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def read_page(path: Path) -> PageText:
    return PageText(Path(path).read_text(encoding="utf-8"))
