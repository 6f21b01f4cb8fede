"""What tuning an upscaler costs, against the embedded one's own networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from diffusers import UNet2DConditionModel

from pipeline_lib.planning.operations import counted_operations
from pipeline_lib.planning.upscalers import planned_upscaler, upscaler_to_cost
from pipeline_lib.settings.planning import PlannedUpscaler

MODEL = Path(__file__).parents[2] / "resources/base_models/brightfield-tiny-x4"


def planned(size: int = 128, **tuning: object) -> PlannedUpscaler:
    settings = {"steps": 10, "batch_size": 4, "crop": 64, **tuning}
    return PlannedUpscaler(what="a less", folder=MODEL, size=size, tuning=settings)


def test_the_unet_goes_there_and_back_and_the_encoder_there() -> None:
    networks = planned_upscaler(planned())
    unet = counted_operations(lambda: networks.forward(1))
    encoder = counted_operations(networks.encode)
    assert min(unet, encoder) > 0
    for anew in (False, True):
        cost = upscaler_to_cost(planned(gradient_checkpointing=anew))
        assert cost.operations == 10 * 4 * ((3 + anew) * unet + encoder)


def test_the_disk_keeps_the_unet_alone() -> None:
    unet = UNet2DConditionModel.from_pretrained(MODEL / "unet")
    count = sum(weight.numel() for weight in unet.parameters())
    cost = upscaler_to_cost(planned())
    assert (cost.jobs, cost.disk, cost.scratch) == (1, 4 * count, 2 * 16 * count)
    assert upscaler_to_cost(planned(optimizer="adamw_8bit")).scratch == 2 * 10 * count


def test_small_tiles_are_learned_whole_and_pieces_save_memory() -> None:
    assert planned_upscaler(planned(size=32)).side == 32
    whole, pieces = (upscaler_to_cost(planned(accumulation=number)) for number in (1, 4))
    assert pieces.memory < whole.memory and pieces.operations == whole.operations
    assert upscaler_to_cost(planned(crop=128)).operations == pytest.approx(
        4 * whole.operations, rel=0.2
    )
