"""Rank identifier tokens by how weak a prior the base model is measured to have for them."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.naming import IdentifierStage
from pipeline_lib.settings.templates import template_to_prompt


def main(settings: IdentifierStage, paths: argparse.Namespace) -> None:
    """Find candidates, measure them, write them in order."""
    from tqdm import tqdm

    from pipeline_lib.dreambooth.identifiers import measure_identifiers, tokenizers_to_candidates
    from pipeline_lib.models.loading import load_model

    def prompt(identifier: str) -> str:
        return template_to_prompt(settings.template, settings.modality, settings.noun, identifier)

    model = load_model(paths.model)
    candidates = tokenizers_to_candidates(model.tokenizers, settings.candidates, prompt("").split())
    if not candidates:
        raise UserError(
            f"the vocabulary of {model.folder} has no unused token of one to three letters; name "
            "identifiers in the column `identifiers` of runs.tsv"
        )
    with tqdm(total=len(candidates), unit="token", disable=None) as bar:
        ranked = measure_identifiers(
            model, candidates, prompt, settings.size, settings.seed, bar.update
        )
    write_json(paths.identifiers, [asdict(identifier) for identifier in ranked])
    logging.info("weakest prior: %s", ", ".join(one.token for one in ranked[:5]))


if __name__ == "__main__":
    run_stage(
        __doc__,
        IdentifierStage,
        {
            "model": "description of the base model (.json)",
            "identifiers": "ranked identifiers to write (.json)",
        },
        main,
    )
