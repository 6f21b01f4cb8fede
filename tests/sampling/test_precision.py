"""What half precision changes, on the embedded base model: an untrained one says nothing of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.models.loading import load_model
from pipeline_lib.sampling.shard_files import read_pictures, read_shard
from pipeline_lib.sampling.shards import draw_shard
from pipeline_lib.settings.base import Precision
from pipeline_lib.settings.sampling import SamplerSettings

EMBEDDED = Path(__file__).parents[2] / "resources/base_models/brightfield-tiny"
PICTURES = 4


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return a function that draws pictures of the same keys in a precision, some at once."""
    folder = tmp_path_factory.mktemp("precision")
    card = folder / "model.json"
    card.write_text(json.dumps({"name": "embedded", "folder": str(EMBEDDED)}))

    def draw(stage, precision: Precision, batch_size: int) -> np.ndarray:
        model = load_model(card, precision, device="cpu")
        assert model.precision == precision
        shard = folder / f"{precision}-{batch_size}.zip"
        draw_shard(model, stage, shard, {}, batch_size=batch_size)
        files = [shard / name for name in read_shard(shard).file]
        return np.stack(list(read_pictures(files))).astype(float)

    return draw


def root_mean_square(difference: np.ndarray) -> float:
    return float(np.sqrt(np.square(difference).mean()))


def test_bfloat16_moves_pictures_by_less_than_a_grey_level(drawn, stage_of):
    sampler = SamplerSettings(steps=8, spacing="log_snr", guidance=1)
    words = {"template": "a {modality} microscopy image of {subject}", "modality": "brightfield"}
    stage = stage_of(count=PICTURES, size=128, noun="suspension cells", sampler=sampler, **words)
    whole, half = drawn(stage, "float32", PICTURES), drawn(stage, "bfloat16", PICTURES)
    assert whole.std() > 10  # there is something to see
    assert 0 < root_mean_square(whole - half) < 1
    assert np.abs(whole - half).mean() < 0.5
    # The order of its sums is a batch's own: by rounding alone, as between the two precisions.
    assert root_mean_square(half - drawn(stage, "bfloat16", 1)) < 1
    assert np.abs(whole - drawn(stage, "float32", 1)).max() <= 1
