from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from pipeline_lib.dreambooth.class_latents import class_images_to_latents
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.real_priors import PriorImagesStage
from tests.dreambooth.workbench import CLASS_PROMPT, Workbench, load_script, random_tiles

script = load_script("prior_images")


def run_script(bench: Workbench, folder: Path, files: list[Path], **keys: Any) -> Namespace:
    prior = {"class_prompt": CLASS_PROMPT, "size": 64, "count": 3, "reading": {"axes": "YX"}}
    stage = PriorImagesStage.model_validate({"name": "real", "prior": prior | keys})
    paths = Namespace(
        model=bench.model,
        files=files,
        images=folder / "shard.tif",
        latents=folder / "shard.safetensors",
        contact_sheet=folder / "shard.png",
        batch_size=2,
    )
    script.main(stage, paths)
    return paths


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.tif" for name in "abc"]
    for path, tile in zip(paths, random_tiles(8, 3), strict=True):
        tifffile.imwrite(path, tile.astype(np.uint16) * 40)
    return paths


def test_latents_are_posterior_draws_as_the_unet_sees_them(bench: Workbench) -> None:
    model, images = load_model(bench.model), random_tiles(3, 5)
    latents = class_images_to_latents(model, images, "real", 2)
    assert torch.equal(class_images_to_latents(model, images, "real", 2), latents)
    torch.testing.assert_close(class_images_to_latents(model, images, "real", 5), latents)
    assert not torch.equal(class_images_to_latents(model, images, "other", 2), latents)
    with torch.no_grad():
        pixels = torch.from_numpy(images).float()[:, None].expand(-1, 3, -1, -1) / 127.5 - 1
        posterior = model.vae.encode(pixels).latent_dist
    away = (latents / model.vae.config.scaling_factor - posterior.mean) / posterior.std
    assert abs(float(away.mean())) < 4 / away.numel() ** 0.5
    assert float(away.std()) == pytest.approx(1, abs=4 / (2 * away.numel()) ** 0.5)


def test_real_and_drawn_class_images_have_one_layout(
    bench: Workbench, tmp_path: Path, files: list[Path]
) -> None:
    paths = run_script(bench, tmp_path, files)
    latents = load_file(paths.latents)
    assert {name: tensor.shape for name, tensor in latents.items()} == {"latents": (3, 8, 8, 8)}
    with safe_open(paths.latents, framework="pt") as file:
        origin = json.loads(file.metadata()["origin"])
    # What the fine-tuning finds class images by.
    assert origin["settings"]["prior"]["class_prompt"] == CLASS_PROMPT
    assert set(origin["inputs"]) == {"base.json", "a.tif", "b.tif", "c.tif"}
    assert tifffile.imread(paths.images).shape == (3, 64, 64)
    assert paths.contact_sheet.stat().st_size > 0


def test_another_map_is_another_picture(
    bench: Workbench, tmp_path: Path, files: list[Path]
) -> None:
    (tmp_path / "out").mkdir()
    fixed = {"method": "fixed", "low": 0, "high": 255 * 40}
    paths = run_script(bench, tmp_path / "out", files, intensity=fixed)
    assert np.array_equal(tifffile.imread(paths.images), random_tiles(8, 3))


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"no picture", {}, r"priors\.real: .*d\.tif: the file is neither TIFF nor PNG nor JPEG"),
        (b"", {}, r"priors\.real: .*d\.tif: the file is empty"),
        (None, {"count": 4}, r"priors\.real: 3 files give 3 images"),
        (None, {"size": 128}, r"priors\.real: .*a\.tif is 64x64 pixels"),
        (None, {"reading": {"channel": "BF"}}, r"priors\.real: .*a\.tif: "),
    ],
)
def test_what_cannot_serve_is_refused_in_words(
    bench: Workbench,
    tmp_path: Path,
    files: list[Path],
    content: bytes | None,
    keys: dict[str, Any],
    message: str,
) -> None:
    if content is not None:
        (tmp_path / "d.tif").write_bytes(content)
        files = [*files, tmp_path / "d.tif"]
    with pytest.raises(UserError, match=message):
        run_script(bench, tmp_path, files, **keys)
    assert not (tmp_path / "shard.safetensors").exists()
