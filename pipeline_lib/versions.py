"""Versions of the stages' results.

Raise a stage's number in the change that makes its results differ; Snakemake then reruns it and
what follows. A change that leaves results alone leaves the number alone.
``tests/workflow/test_result_versions.py`` keeps a hash of each stage's code beside its number, so
that the decision is asked for whenever the code changes.
"""

from __future__ import annotations

RESULT_VERSION = {
    "ingest": 2,
    "quality": 2,
    "split": 3,
    "tiles": 3,
    "fetch": 1,
    "fetch_extractor": 1,
    "identifier": 1,
    "prior": 2,
    "prior_images": 2,
    "nouns": 1,
    "latents": 3,
    "camera": 2,
    "tune_decoder": 1,
    "decoder_roundtrip": 1,
    "tune_upscaler": 1,
    "superresolution": 1,
    "upsample": 1,
    "finetune": 4,
    "train_from_scratch": 2,
    "sample": 5,
    "features": 3,
    "diversity": 1,
    "metrics": 7,
    "release": 6,
    "report": 11,
    "study": 8,
    "survey": 2,
    "sweep": 1,
    "labels": 2,
    "context_images": 1,
    "context_values": 1,
    "contexts": 2,
    "masks": 2,
    "detectors": 2,
    "downstream": 2,
}
