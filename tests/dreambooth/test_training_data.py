from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.dreambooth.losses import dreambooth_loss
from pipeline_lib.dreambooth.training_data import Batch, TrainingData, assemble, make_batch
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept
from tests.dreambooth.workbench import CLASS_PROMPT, CONCEPT, Workbench

SHAPE = (8, 8, 8)
OTHER_PROMPT = "a brightfield microscopy image of bacteria"


@pytest.fixture(scope="module")
def model(bench: Workbench) -> BaseModel:
    return load_model(bench.model)


def two_concepts(
    model: BaseModel,
    bench: Workbench,
    weights: tuple[float, float] = (1, 1),
    **changed: torch.Tensor,
) -> TrainingData:
    first = TrainedConcept(**CONCEPT | {"prior_weight": weights[0]})
    second = TrainedConcept(
        **CONCEPT
        | {
            "concept": "rods",
            "noun": "bacteria",
            "class_prompt": OTHER_PROMPT,
            "prior_weight": weights[1],
        }
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


def random_answers(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(batch.latents.shape, generator=generator) for _ in range(2))


def test_equal_weights_are_bit_for_bit_no_weights(model: BaseModel, bench: Workbench) -> None:
    batch = make_batch(two_concepts(model, bench), 0, 3, (4, 3), torch.arange(1000))
    assert batch.weights.tolist() == [1.0] * 7
    prediction, target = random_answers(batch)
    gradients = []
    for weights in (None, batch.weights):
        answer = prediction.clone().requires_grad_()
        dreambooth_loss(answer, target, batch.subjects, 0.7, weights).total.backward()
        gradients.append(answer.grad)
    assert torch.equal(*gradients)


def test_each_concept_has_a_lambda_of_its_own(model: BaseModel, bench: Workbench) -> None:
    batch = make_batch(two_concepts(model, bench, (2.0, 0.25)), 0, 3, (4, 6), torch.arange(1000))
    prediction, target = random_answers(batch)
    loss = dreambooth_loss(prediction, target, batch.subjects, 0.8, batch.weights).total
    errors = [float((prediction[k] - target[k]).square().mean()) for k in range(10)]
    of_second = batch.latents[4:].flatten(1).mean(1) > 0.5  # 0 or 1 by construction
    lambdas = [0.8 * (0.25 if second else 2.0) for second in of_second]
    assert sorted(set(lambdas)) == [0.2, 1.6]
    expected = sum(errors[:4]) / 4
    expected += sum(one * error for one, error in zip(lambdas, errors[4:], strict=True)) / 6
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    part = batch.chosen(range(2, 7))
    assert (part.subjects, part.weights.tolist()) == (2, batch.weights[2:7].tolist())


def captioned(model: BaseModel, bench: Workbench, captions: list[str]) -> TrainingData:
    template = "an image of {subject}, {caption}"
    concept = TrainedConcept(**CONCEPT | {"training_prompt": template})
    cache = load_file(bench.latents)
    cache["train.std"] = torch.zeros_like(cache["train.std"])  # latents tell their tile
    priors = {CLASS_PROMPT: torch.zeros(4, *SHAPE)}
    return assemble(model, [concept], ["zx"], [cache], priors, {"single": captions})


def test_each_tile_has_its_own_words(model: BaseModel, bench: Workbench) -> None:
    captions = ["dense", "", "sparse", "dense", "well edge"]
    data = captioned(model, bench, captions)
    plain = "an image of zx cells"
    wanted = [f"{plain}, {text}" if text else plain for text in captions]
    assert data.subjects[0].prompt == plain
    assert set(data.prompts) == {*wanted, CLASS_PROMPT}
    means = data.subjects[0].mean
    for step in range(8):
        batch = make_batch(data, 0, step, (3, 1), torch.arange(1000))
        for latent, prompt in zip(batch.latents[:3], batch.prompts[:3], strict=True):
            (tile,) = (means == latent).all(-1).all(-1).all(-1).any(1).nonzero().flatten().tolist()
            assert data.prompts[prompt] == wanted[tile]
        assert data.prompts[batch.prompts[3]] == CLASS_PROMPT


def test_captions_change_nothing_where_the_template_does_not_name_them(
    model: BaseModel, bench: Workbench
) -> None:
    plain = two_concepts(model, bench)
    concept, cache = TrainedConcept(**CONCEPT), load_file(bench.latents)
    priors = {CLASS_PROMPT: torch.zeros(4, *SHAPE)}
    told = assemble(model, [concept], ["zx"], [cache], priors, {"single": ["dense"] * 5})
    assert told.subjects[0].tile_prompts == (plain.subjects[0].prompt,) * 5
    assert told.prompts == (plain.subjects[0].prompt, CLASS_PROMPT)


def test_another_number_of_captions_than_tiles_is_refused(
    model: BaseModel, bench: Workbench
) -> None:
    with pytest.raises(UserError, match=r"5 training tiles, found 2 captions.*train\.tsv"):
        captioned(model, bench, ["dense", "sparse"])


def test_dropped_prompts_are_empty_for_subjects_and_classes(
    model: BaseModel, bench: Workbench
) -> None:
    data = two_concepts(model, bench)
    dropping = replace(data, caption_dropout=0.5)
    assert dropping.prompts == (*data.prompts, "")
    empty = len(data.prompts)
    dropped = torch.zeros(2)
    for step in range(60):
        one, other = (
            make_batch(some, 0, step, (2, 2), torch.arange(9)) for some in (data, dropping)
        )
        assert torch.equal(one.latents, other.latents) and torch.equal(one.noise, other.noise)
        gone = other.prompts == empty
        assert torch.equal(one.prompts[~gone], other.prompts[~gone])
        dropped += gone.reshape(2, 2).sum(1)
    # 120 draws each at one half: beyond four standard deviations once in 16,000
    assert all(abs(int(count) - 60) < 22 for count in dropped)


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
