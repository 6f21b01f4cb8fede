"""The model card."""

from __future__ import annotations

from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.optics import KINDS

CARD = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
tags: [microscopy, brightfield, synthetic]
---
# brightfield-tiny

A small text-to-image model of brightfield microscopy pictures of {size} x {size} pixels, in the
layout of Stable Diffusion. It is the embedded base model of Brightbooth: something to personalise
by DreamBooth where there is neither a GPU nor a model hub.

- **Trained on simulated pictures only**: {count} of this project's own simulator
  (`pipeline_lib/optics`), the noisiest {noisiest:.0%} left out, in all turns and flips. It has seen
  no photograph.
- **Kinds**: {kinds}; from sparse to dense, in front of, in and behind focus, in brightfield and
  oblique light.
- **Autoencoder**: the encoder is a cosine transform of the half-size picture by construction; the
  decoder was trained, {decoder_steps} steps of {decoder_batch} crops. It loses the camera's noise,
  which Brightbooth measures on real images and gives back.
- **Denoiser**: UNet and text encoder were trained together, {denoiser_steps} of {denoiser_planned}
  steps of {denoiser_batch} latents: velocity prediction, zero terminal signal, {dropout:.0%} empty
  captions, averaged weights.
- `recipe.json` has all settings, `training.csv` the losses. `make base-model` makes it anew.
- **Prompts** look like `a brightfield microscopy image of dense rod bacteria, in focus`,
  `an oblique microscopy image of sparse adherent cells, behind focus`.
- **Identifiers**: the last tokens of the vocabulary are {rare} words of three consonants that no
  caption holds; use them for DreamBooth.
- **Licence**: MIT.
- **Not for diagnosis**, nor for any conclusion about cells: its pictures are inventions. What an
  instrument, a cell line or a disease looks like it does not know.

```python
from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.from_pretrained("resources/base_models/brightfield-tiny")
prompt = "a brightfield microscopy image of dense rod bacteria, in focus"
pipeline(prompt, num_inference_steps=25, guidance_scale=2.5).images[0].save("bacteria.png")
```

Figures and pictures: `docs/base-model.md` of the project.
"""


UPSCALER_CARD = """---
license: mit
library_name: diffusers
pipeline_tag: image-to-image
tags: [microscopy, brightfield, synthetic, super-resolution]
---
# brightfield-tiny-x4

A small model that enlarges brightfield microscopy pictures four times, in the layout of Stable
Diffusion's upscaler. It is the embedded upscaler of Brightbooth: something to tune to one's own
microscope where there is neither a GPU nor a model hub.

- **Trained on simulated pictures only**: {count} of {size} x {size} pixels of this project's own
  simulator (`pipeline_lib/optics`), the noisiest {noisiest:.0%} left out, in all turns and flips.
  It has seen no photograph. Untuned, it invents the detail and the noise of the simulator: the
  weights that the project carries enlarge held-out photographs sharper than bicubic interpolation
  and farther from the truth, 20.3 dB instead of 20.7 for a monolayer under oblique light, 31.0
  instead of 34.1 for rod bacteria, which it gives mottled insides.
- **What it enlarges** are means of {factor} x {factor} pixels, grey, repeated in three channels
  (`pictures_to_low_resolution` of the project): the area average, not bicubic and not blurred.
- **Noise levels**: `noise_level` from 0 to {max_level} of {timesteps} ({beta_schedule} variances
  from {beta_start} to {beta_end}, as Stable Diffusion's upscaler has); the UNet has a row of its
  table for each. In training, low ones were drawn more (a uniform number to the power
  {level_power:g}).
- **Autoencoder**: 16 latent channels at 1/{factor} of the side; the encoder is a cosine transform
  of blocks of 4 x 4 pixels by construction and loses nothing; the decoder was trained,
  {decoder_steps} steps of {decoder_batch} crops. `scaling_factor` is {scaling_factor}, as the
  pipeline wants it.
- **Denoiser**: UNet, {denoiser_steps} of {denoiser_planned} steps of {denoiser_batch} pictures:
  velocity prediction, zero terminal signal, {dropout:.0%} empty captions, averaged weights.
  Tokenizer and text encoder are those of `brightfield-tiny`, the encoder stored in half precision.
- `recipe.json` has all settings, `training.csv` the losses. `make base-model-x4` makes it anew.
- **Guidance** is not needed: call it with `guidance_scale=1`. The pipeline's own default, 9, is far
  too much.
- **Licence**: MIT.
- **Not for diagnosis**, nor for any conclusion about cells: what it adds to a picture is invented.

```python
from diffusers import StableDiffusionUpscalePipeline
from PIL import Image

folder = "resources/base_models/brightfield-tiny-x4"
pipeline = StableDiffusionUpscalePipeline.from_pretrained(folder)
small = Image.open("small.png").convert("RGB")  # sides that are multiples of 4
prompt = "a brightfield microscopy image of rod bacteria, in focus"
options = {{"num_inference_steps": 20, "guidance_scale": 1, "noise_level": 0}}
pipeline(prompt, image=small, **options).images[0].save("large.png")
```

Figures and pictures: `docs/base-model.md` of the project.
"""


def recipe_to_card(recipe: Recipe, steps: int) -> str:
    """Describe a model.

    Parameters
    ----------
    recipe : Recipe
        How it was made.
    steps : int
        Steps that the denoiser has done.

    Returns
    -------
    str
        Markdown with the header that model hubs read.
    """
    said = {
        "size": recipe.pictures.size,
        "count": recipe.pictures.count,
        "noisiest": recipe.pictures.noisiest,
        "decoder_steps": recipe.autoencoder.steps,
        "decoder_batch": recipe.autoencoder.batch,
        "denoiser_steps": steps,
        "denoiser_planned": recipe.denoiser.steps,
        "denoiser_batch": recipe.denoiser.batch,
        "dropout": recipe.denoiser.caption_dropout,
    }
    low = recipe.low_resolution
    if low is None:
        rare = recipe.tokenizer.rare_tokens
        return CARD.format(kinds=", ".join(KINDS), rare=rare, **said)
    return UPSCALER_CARD.format(
        factor=recipe.autoencoder.factor,
        scaling_factor=recipe.autoencoder.scaling_factor,
        max_level=low.max_noise_level,
        timesteps=recipe.denoiser.train_timesteps,
        beta_schedule=low.beta_schedule,
        beta_start=low.beta_start,
        beta_end=low.beta_end,
        level_power=low.level_power,
        **said,
    )
