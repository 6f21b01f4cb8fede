"""Send tiles through the encoder and a tuned decoder, and say what it costs beside the base's own.

The round trips take the place of those that the stage `latents` makes with the base model's own
decoder: of the training tiles, where the camera's lost noise is measured, and of the held-out ones.
"""

from __future__ import annotations

import argparse

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, value_to_sha256, write_json
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata, write_stack
from pipeline_lib.settings.decoder import DecoderRoundTripStage
from pipeline_lib.versions import RESULT_VERSION

PATHS = {
    "model": "the base model (.json)",
    "tuned": "folder of the tuned decoder",
    "train": "training tiles (.tif)",
    "holdout": "held-out tiles (.tif), may be none",
    "base_roundtrip": "held-out tiles, decoded by the base model's own decoder (.tif)",
    "base_train_roundtrip": "training tiles, decoded so (.tif): the same ones are sent through",
    "roundtrip": "decoded held-out tiles to write (.tif)",
    "train_roundtrip": "decoded training tiles to write (.tif)",
    "cost": "figures before and after to write (.json)",
}
NUMBERS = {"batch_size": "tiles at once, 16 if it is not given"}


def decoder_roundtrip(stage: DecoderRoundTripStage, paths: argparse.Namespace) -> None:
    """Write both round trips, and the figures of the held-out one before and after."""
    from pipeline_lib.dreambooth.latents import round_trip
    from pipeline_lib.evaluation.decoder_costs import before_and_after
    from pipeline_lib.models.decoders import DECODER_CARD, with_decoder
    from pipeline_lib.models.loading import load_model

    base = load_model(paths.model)
    model, batch_size = with_decoder(base, paths.tuned), paths.batch_size or stage.batch_size
    holdout = read_stack(paths.holdout)
    measured = read_stack_metadata(paths.base_train_roundtrip)["tiles"]
    made = provenance(
        "decoder_roundtrip",
        {**stage.model_dump(mode="json"), "version": RESULT_VERSION["decoder_roundtrip"]},
        model=value_to_sha256(base.card["files"]),
        decoder=file_to_sha256(paths.tuned / DECODER_CARD),
        train=file_to_sha256(paths.train),
        holdout=file_to_sha256(paths.holdout),
    )
    origin = {"provenance": made, "base": base.card["name"]}
    decoded = round_trip(model, holdout, batch_size)
    write_stack(paths.roundtrip, decoded, origin)
    train = round_trip(model, read_stack(paths.train)[measured], batch_size)
    write_stack(paths.train_roundtrip, train, {**origin, "tiles": measured})
    figures = before_and_after(holdout, read_stack(paths.base_roundtrip), decoded)
    write_json(paths.cost, {**figures, "dataset": stage.dataset, "provenance": made})


if __name__ == "__main__":
    run_stage(__doc__, DecoderRoundTripStage, PATHS, decoder_roundtrip, NUMBERS)
