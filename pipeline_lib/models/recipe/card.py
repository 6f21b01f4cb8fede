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
    return CARD.format(
        size=recipe.pictures.size,
        count=recipe.pictures.count,
        noisiest=recipe.pictures.noisiest,
        kinds=", ".join(KINDS),
        decoder_steps=recipe.autoencoder.steps,
        decoder_batch=recipe.autoencoder.batch,
        denoiser_steps=steps,
        denoiser_planned=recipe.denoiser.steps,
        denoiser_batch=recipe.denoiser.batch,
        dropout=recipe.denoiser.caption_dropout,
        rare=recipe.tokenizer.rare_tokens,
    )
