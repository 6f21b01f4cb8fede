"""Compare class nouns by the frozen base model's loss on a dataset's training tiles."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict, fields

from pipeline_lib.command_line import run_stage
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.tables import write_table
from pipeline_lib.settings.naming import NounsStage
from pipeline_lib.settings.templates import template_to_prompt


def main(settings: NounsStage, paths: argparse.Namespace) -> None:
    """Measure every noun on the same tiles, time steps and noise; write them in order."""
    from safetensors import safe_open
    from tqdm import tqdm

    from pipeline_lib.dreambooth.nouns import ComparedNoun, losses_to_ranking, nouns_to_losses
    from pipeline_lib.models.loading import load_model
    from pipeline_lib.models.pictures import scale_latents

    nouns = list(dict.fromkeys([settings.noun, *settings.candidates]))
    prompts = [template_to_prompt(settings.template, settings.modality, noun) for noun in nouns]
    model = load_model(paths.model)
    with safe_open(paths.latents, framework="pt") as file:
        means = file.get_tensor("train.mean")[:, 0]
    latents = scale_latents(model, means[even_choice(len(means), settings.tiles)])
    with tqdm(total=len(latents), unit="tile", disable=None) as bar:
        losses = nouns_to_losses(
            model, latents, prompts, settings.timesteps, settings.seed, bar.update
        )
    ranking = losses_to_ranking(nouns, losses)
    columns = [field.name for field in fields(ComparedNoun)]
    write_table(paths.table, columns, [asdict(one) for one in ranking])
    for one in ranking:
        logging.info("%s: loss %.6g, %+.2g to `%s`", one.noun, one.loss, one.difference, nouns[0])


if __name__ == "__main__":
    run_stage(
        __doc__,
        NounsStage,
        {
            "model": "description of the base model (.json)",
            "latents": "latent cache of the dataset (.safetensors)",
            "table": "compared nouns to write (.tsv)",
        },
        main,
    )
