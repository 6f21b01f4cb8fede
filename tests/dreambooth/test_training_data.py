from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.dreambooth.training_data import TrainingData, assemble, make_batch
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings import TrainedConcept, UserError
from tests.dreambooth.workbench import CLASS_PROMPT, CONCEPT, Workbench

SHAPE = (8, 8, 8)
OTHER_PROMPT = "a brightfield microscopy image of bacteria"


@pytest.fixture(scope="module")
def model(bench: Workbench) -> BaseModel:
    return load_model(bench.model)


def two_concepts(model: BaseModel, bench: Workbench, **changed: torch.Tensor) -> TrainingData:
    first = TrainedConcept(**CONCEPT)
    second = TrainedConcept(
        **CONCEPT | {"concept": "rods", "noun": "bacteria", "class_prompt": OTHER_PROMPT}
    )
    cache = load_file(bench.latents)
    other = {name: value[:1] + 3 for name, value in cache.items()} | changed
    priors = {CLASS_PROMPT: torch.zeros(4, *SHAPE), OTHER_PROMPT: torch.ones(2, *SHAPE)}
    return assemble(model, [first, second], ["zx", "qv"], [cache, other], priors)


def test_latents_are_scaled_as_the_unet_sees_them(model: BaseModel, bench: Workbench) -> None:
    data = two_concepts(model, bench)
    cache = load_file(bench.latents)
    factor = model.vae.config.scaling_factor
    torch.testing.assert_close(data.subjects[0].mean, cache["train.mean"] * factor)
    torch.testing.assert_close(data.subjects[0].std, cache["train.std"] * factor)
    assert data.prompts == (
        "a brightfield microscopy image of zx cells",
        "a brightfield microscopy image of qv bacteria",
        CLASS_PROMPT,
        OTHER_PROMPT,
    )


def test_each_sample_keeps_its_own_prompt(model: BaseModel, bench: Workbench) -> None:
    data = two_concepts(model, bench)
    for step in range(6):
        batch = make_batch(data, 0, step, (4, 3), torch.arange(1000))
        assert batch.subjects == 4
        near = [
            float((subject.mean - latent).abs().amin((0, 1)).max())
            for latent in batch.latents[:4]
            for subject in data.subjects
        ]
        concept = torch.tensor(near).reshape(4, 2).argmin(1)
        assert torch.equal(concept, batch.prompts[:4])
        class_values = batch.latents[4:].flatten(1).mean(1)  # 0 or 1 by construction
        assert torch.equal(class_values.long() + 2, batch.prompts[4:])


def test_a_smaller_batch_is_the_start_of_a_larger_one(model: BaseModel, bench: Workbench) -> None:
    data = two_concepts(model, bench)
    small, large = (make_batch(data, 0, 7, (size, size), torch.arange(1000)) for size in (2, 5))
    assert torch.equal(small.latents[:2], large.latents[:2])
    assert torch.equal(small.latents[2:], large.latents[5:7])
    assert torch.equal(small.noise[2:], large.noise[5:7])
    assert torch.equal(small.timesteps[:2], large.timesteps[:2])


def test_latents_are_drawn_anew_around_the_mean(model: BaseModel, bench: Workbench) -> None:
    concept = TrainedConcept(**CONCEPT)
    cache = load_file(bench.latents)
    one = {name: value[:1, :1] for name, value in cache.items()}
    data = assemble(model, [concept], ["zx"], [one], {})
    drawn = torch.cat(
        [make_batch(data, 0, step, (8, 8), torch.arange(10)).latents for step in range(100)]
    )
    assert len(drawn) == 800  # no class images, no prior half
    standard = (drawn - data.subjects[0].mean[0, 0]) / data.subjects[0].std[0, 0]
    assert abs(float(standard.mean())) < 0.01
    assert float(standard.std()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train.mean": torch.zeros(0, 1, *SHAPE)}, "no training tiles"),
        ({"train.mean": torch.zeros(1, 1, 8, 4, 4)}, "the same tiles.size"),
    ],
)
def test_what_does_not_fit_is_refused(
    model: BaseModel, bench: Workbench, changed: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        two_concepts(model, bench, **changed)


def test_class_images_of_another_size_are_refused(model: BaseModel, bench: Workbench) -> None:
    priors = {CLASS_PROMPT: torch.zeros(4, 8, 4, 4)}
    with pytest.raises(UserError, match="the prior's `size`"):
        assemble(model, [TrainedConcept(**CONCEPT)], ["zx"], [load_file(bench.latents)], priors)


def test_latents_of_another_base_are_refused(model: BaseModel) -> None:
    cache = {
        name: torch.zeros(1, 1, 4, 8, 8) for name in ("train.mean", "train.std", "validation.mean")
    }
    with pytest.raises(UserError, match="another base model"):
        assemble(model, [TrainedConcept(**CONCEPT)], ["zx"], [cache], {})
