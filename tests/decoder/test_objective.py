from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from pipeline_lib.decoder.objective import TunedDecoder
from pipeline_lib.imaging.views import View
from pipeline_lib.models.decoders import load_autoencoder
from pipeline_lib.settings.decoder import DecoderSettings
from tests.decoder.planted import SIZE, DecoderBench, encode

Benches = Callable[[str], DecoderBench]


def make_objective(bench: DecoderBench, **settings: object) -> TunedDecoder:
    train, validation = (
        encode(bench.model, bench.tiles[role], (View(),)) for role in ("train", "validation")
    )
    autoencoder = load_autoencoder(bench.model.folder, "cpu")
    chosen = DecoderSettings(batch_size=3, **settings)
    return TunedDecoder(autoencoder, train, validation, chosen)


def gradients(objective: TunedDecoder) -> list[torch.Tensor]:
    for piece in objective.step_to_pieces(0):
        objective.piece_to_losses(piece)["loss"].backward()
    return [weight.grad for weight in objective.groups["decoder"].weights.values()]


def test_the_loss_is_the_absolute_and_the_squared_error(decoder_benches: Benches) -> None:
    objective = make_objective(decoder_benches("tiny"), squared_weight=2.5)
    (piece,) = objective.step_to_pieces(0)
    losses = {name: loss.item() for name, loss in objective.piece_to_losses(piece).items()}
    with torch.no_grad():
        decoded = objective.autoencoder.decode(torch.from_numpy(piece.latents)).sample.numpy()
    error = decoded - (piece.grey[:, None] / 127.5 - 1)
    assert error.shape == (3, 3, SIZE, SIZE)
    assert losses["absolute"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert losses["squared"] == pytest.approx((error**2).mean(), rel=1e-5)
    assert losses["loss"] == pytest.approx(losses["absolute"] + 2.5 * losses["squared"])


@pytest.mark.parametrize("changed", [{"accumulation": 2}, {"gradient_checkpointing": True}])
def test_what_saves_memory_leaves_the_gradient(decoder_benches: Benches, changed: dict) -> None:
    bench = decoder_benches("sd15")
    expected = gradients(make_objective(bench))
    found = gradients(make_objective(bench, **changed))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)


def test_gradient_checkpointing_keeps_less(decoder_benches: Benches) -> None:
    def kept(**settings: object) -> int:
        objective = make_objective(decoder_benches("sd15"), **settings)
        sizes: list[int] = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        (piece,) = objective.step_to_pieces(0)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            objective.piece_to_losses(piece)
        return sum(sizes)

    assert kept(gradient_checkpointing=True) < kept() / 2


def test_only_the_decoder_gets_gradients(decoder_benches: Benches) -> None:
    objective = make_objective(decoder_benches("tiny"))
    assert all(gradient is not None for gradient in gradients(objective))
    named = objective.autoencoder.named_parameters()
    trained = {name for name, weight in named if weight.requires_grad}
    assert trained == set(objective.groups["decoder"].weights)
    assert all(name.startswith("decoder.") for name in trained)


def test_judgement_is_in_float32_whatever_training_computes_in(decoder_benches: Benches) -> None:
    objective = make_objective(decoder_benches("tiny"))
    plain = objective.judge()
    with torch.autocast("cpu", torch.bfloat16):
        assert objective.judge() == plain
    assert plain.figures == objective.losses()
    assert set(plain.figures) == {"train_loss", "validation_loss"}
    assert plain.score.value == pytest.approx(plain.figures["validation_loss"])
    assert len(plain.score.left_out[0]) == len(objective.judged["validation_loss"].grey)


def test_previews_are_validation_tiles_and_what_is_given_back(decoder_benches: Benches) -> None:
    bench = decoder_benches("tiny")
    drawn = make_objective(bench).draw_previews()
    assert np.array_equal(drawn["tiles"], bench.tiles["validation"])
    assert drawn["given-back"].shape == drawn["tiles"].shape
