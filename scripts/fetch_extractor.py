"""Bring a feature extractor onto this machine and describe it.

Needs the network for extractors of the hub alone: run it on the login node. `HF_ENDPOINT` and
`HF_TOKEN` are respected.
"""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.evaluation.extractors.fetching import fetch_extractor
from pipeline_lib.files import provenance, write_json
from pipeline_lib.models.fetching import download_from_hub
from pipeline_lib.settings.features import FetchExtractorStage


def main(settings: FetchExtractorStage, paths: argparse.Namespace) -> None:
    """Fetch, try a plug-in, then write the description."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # else a line for each request
    card = fetch_extractor(
        settings.name, settings.entry, paths.root, paths.downloads, download_from_hub
    )
    if card.attribute is not None:
        from pipeline_lib.evaluation.extractors.loading import load_extractor

        load_extractor(card)  # a plug-in that breaks the contract is refused before any image
    origin = provenance("fetch_extractor", settings.model_dump())
    write_json(paths.extractor, card.model_dump() | {"provenance": origin})


if __name__ == "__main__":
    run_stage(
        __doc__,
        FetchExtractorStage,
        {
            "root": "folder that the entry's path is relative to",
            "extractor": "description of the extractor to write (.json)",
            "downloads": "folder for extractors of the hub",
        },
        main,
    )
