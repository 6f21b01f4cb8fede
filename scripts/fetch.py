"""Bring a base model onto this machine, check that it can read the prompts, and describe it.

Needs the network for models of the hub alone: run it on the login node. `HF_ENDPOINT` and
`HF_TOKEN` are respected.
"""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.dreambooth.prompt_checks import check_prompts
from pipeline_lib.files import provenance, write_json
from pipeline_lib.models.fetching import fetch_model
from pipeline_lib.models.tokenization import folder_to_readers
from pipeline_lib.settings.base_models import FetchStage
from pipeline_lib.settings.base_prompts import BasePrompts


def main(settings: FetchStage, paths: argparse.Namespace) -> None:
    """Fetch, check the prompts before anything expensive runs, then write the description."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # else a line for each request
    described = fetch_model(settings.name, settings.entry, paths.root, paths.downloads)
    for path in paths.prompts:
        told = BasePrompts.model_validate_json(path.read_text())
        check_prompts(told, folder_to_readers(described["folder"]))
    described["provenance"] = provenance("fetch", settings.model_dump())
    write_json(paths.model, described)


if __name__ == "__main__":
    run_stage(
        __doc__,
        FetchStage,
        {
            "root": "folder that the entry's path is relative to",
            "prompts...": "what it is given to read (.json), none to check nothing",
            "model": "description of the model to write (.json)",
            "downloads": "folder for models of the hub and converted single files",
        },
        main,
    )
