from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline_lib.models.conditioning import encode_prompts
from pipeline_lib.models.denoising import divide_noise, draw_batches, predict
from pipeline_lib.models.loading import load_model, ready_to_draw
from pipeline_lib.models.pictures import latents_to_images
from pipeline_lib.models.schedulers import OF_LATENTS, SCHEDULERS, build_scheduler
from pipeline_lib.randomness import key_of, keys_to_noise
from pipeline_lib.settings.denoising import Denoising
from tests.models.pipelines import plain_pipeline

PROMPT = "a brightfield microscopy image of zx cells"
SIZE = 32


def sampler_of(name, **given):
    return Denoising(scheduler=name, steps=4, **given)


def drawn(model, keys, sampler, batch_size, **given):
    """Return all latents."""
    batches = draw_batches(model, PROMPT, keys, sampler, SIZE, batch_size, **given)
    return torch.cat(list(batches))


def some_keys(count, seed=0):
    return [key_of("sample", seed, "subject", index) for index in range(count)]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_picture_is_the_same_alone_and_in_any_batch(model, name):
    keys, sampler = some_keys(5), sampler_of(name)
    together = latents_to_images(model, drawn(model, keys, sampler, 5)).astype(int)
    assert together.std(axis=0).mean() > 2  # the pictures differ from each other
    for batch_size in (1, 3):
        apart = latents_to_images(model, drawn(model, keys, sampler, batch_size))
        assert np.abs(together - apart).max() <= 1
    alone = latents_to_images(model, drawn(model, keys[4:5], sampler, 16))
    assert np.abs(together[4] - alone[0]).max() <= 1


@pytest.mark.parametrize("name", ["dpm++", "ddim"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_latents_are_those_of_the_plain_pipeline(model, name, guidance):
    keys = some_keys(2)
    ours = drawn(model, keys, sampler_of(name, guidance=guidance), 2)
    pipeline = plain_pipeline(model.folder)
    kind, own = SCHEDULERS[name]
    pipeline.scheduler = kind.from_config(model.scheduler_config, **own, **OF_LATENTS)
    theirs = pipeline(
        [PROMPT] * 2,
        height=SIZE,
        width=SIZE,
        num_inference_steps=4,
        guidance_scale=guidance,
        latents=torch.from_numpy(keys_to_noise(keys, model.latent_shape(SIZE))),
        output_type="latent",
    ).images
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_negative_prompt_seed_and_prompt_change_the_picture(toy_model):
    model, sampler = toy_model("tiny"), sampler_of("dpm++")
    plain = drawn(model, some_keys(1), sampler, 1)
    assert not torch.allclose(plain, drawn(model, some_keys(1, seed=1), sampler, 1), atol=0.1)
    without = drawn(model, some_keys(1), sampler, 1, negative_prompt="debris")
    assert (plain - without).abs().max() > 1e-3


def test_guidance_off_ignores_the_negative_prompt(toy_model):
    model, sampler = toy_model("tiny"), sampler_of("ddim", guidance=1.0)
    plain = drawn(model, some_keys(1), sampler, 1)
    torch.testing.assert_close(plain, drawn(model, some_keys(1), sampler, 1, negative_prompt="no"))


def test_progress_counts_every_step_of_every_picture(toy_model):
    seen = []
    drawn(toy_model("tiny"), some_keys(5), sampler_of("ddim"), 2, on_step=seen.append)
    assert sum(seen) == 5 * 4


def test_predictions_are_differentiable(model):
    latents = torch.randn((2, *model.latent_shape(SIZE)), requires_grad=True)
    embedding = encode_prompts(model, [PROMPT]).repeated(2)
    prediction = predict(model, latents, torch.tensor([10, 900]), embedding, SIZE)
    assert prediction.shape == latents.shape
    prediction.square().mean().backward()
    assert latents.grad.abs().sum() > 0


def test_half_precision_stays_near(toy_card, toy_model):
    from pipeline_lib.models.loading import load_model

    keys, sampler = some_keys(2), sampler_of("dpm++")
    whole = drawn(toy_model("sd15"), keys, sampler, 2)
    half = drawn(load_model(toy_card("sd15"), "bfloat16", "cpu"), keys, sampler, 2)
    assert half.dtype == torch.float32
    assert ((half - whole).std() / whole.std()) < 0.1


@pytest.mark.parametrize("spacing", ["model", "log_snr"])
def test_steps_are_as_many_as_asked(toy_model, spacing):
    scheduler = build_scheduler("dpm++", toy_model("tiny").scheduler_config, 25, spacing)
    assert len(scheduler.timesteps) == 25


def test_spacing_changes_the_picture_and_not_the_number_of_steps(toy_model):
    model, seen = toy_model("tiny"), []
    plain = drawn(model, some_keys(1), sampler_of("dpm++"), 1)
    spaced = drawn(
        model, some_keys(1), sampler_of("dpm++", spacing="log_snr"), 1, on_step=seen.append
    )
    assert sum(seen) == 4
    assert (plain - spaced).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ["tiny", "sdxl"])
def test_weights_laid_out_for_drawing_draw_the_same(toy_card, toy_model, architecture):
    keys, sampler = some_keys(3), sampler_of("dpm++")
    plain = toy_model(architecture)
    ready = ready_to_draw(load_model(toy_card(architecture), device="cpu"))
    assert ready.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert ready.vae.decoder.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    ours, theirs = (
        latents_to_images(model, drawn(model, keys, sampler, 3)).astype(int)
        for model in (ready, plain)
    )
    assert np.abs(ours - theirs).max() <= 1


def test_guidance_acts_within_its_interval_alone(toy_model):
    model, keys = toy_model("tiny"), some_keys(2)

    def draw(guidance, interval=None):
        sampler = sampler_of("dpm++", guidance=guidance, guidance_interval=interval)
        return drawn(model, keys, sampler, 2)

    torch.testing.assert_close(draw(4.0, (0.0, 1e9)), draw(4.0))
    torch.testing.assert_close(draw(4.0, (1e7, 1e9)), draw(1.0))
    within = draw(4.0, (0.5, 5.0))
    assert not torch.allclose(within, draw(4.0), atol=1e-4)
    assert not torch.allclose(within, draw(1.0), atol=1e-4)


def test_steps_without_guidance_cost_half(toy_model):
    model, seen = toy_model("tiny"), []
    hook = model.unet.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    try:
        drawn(model, some_keys(3), sampler_of("dpm++", guidance_interval=(0.3, 5.0)), 3)
    finally:
        hook.remove()
    assert len(seen) == 4 and set(seen) == {3, 6}


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="at least 4 steps"):
        Denoising(scheduler="PNDMScheduler", steps=3)


@pytest.mark.parametrize("interval", [(2.0, 1.0), (-1.0, 3.0), (1.0, 1.0)])
def test_an_interval_without_inside_is_refused(interval):
    with pytest.raises(ValueError, match="lowest noise level"):
        Denoising(guidance_interval=interval)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_noise_is_divided_and_what_is_left_is_the_picture(kind):
    clean, noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)).unbind()
    alpha, sigma = 0.6, 0.8
    noisy = alpha * clean + sigma * noise
    said = noise if kind == "epsilon" else alpha * noise - sigma * clean
    divided = divide_noise(said, noisy, sigma / alpha, kind, 1.1)
    believed = divided if kind == "epsilon" else alpha * divided + sigma * noisy
    torch.testing.assert_close(believed, noise / 1.1)


def test_noise_alone_is_not_divided():
    noise = torch.randn(1, 4, 8, 8)
    assert torch.equal(divide_noise(-noise, noise, 4096.0, "v_prediction", 1.1), -noise)


def test_divided_noise_changes_the_picture_and_one_does_not(toy_model):
    model, keys = toy_model("tiny"), some_keys(1)
    plain = drawn(model, keys, sampler_of("dpm++"), 1)
    assert torch.equal(drawn(model, keys, sampler_of("dpm++", noise_divisor=1), 1), plain)
    assert (
        drawn(model, keys, sampler_of("dpm++", noise_divisor=1.01), 1) - plain
    ).abs().max() > 1e-3


def test_a_divisor_that_is_not_used_leaves_no_trace():
    assert "noise_divisor" not in Denoising().model_dump_json()
    assert Denoising(noise_divisor=1.005).model_dump()["noise_divisor"] == 1.005
