"""An autoencoder's decoder as an objective of the training loop; its encoder stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.nn import functional

from pipeline_lib.decoder.crops import Crops, draw_crops
from pipeline_lib.decoder.tiles import EncodedTiles
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.settings.decoder import DecoderSettings
from pipeline_lib.training.judgement import Judgement, values_to_score
from pipeline_lib.training.objective import Losses, Mends, WeightGroup

JUDGED_TILES, SHOWN_TILES = 64, 4
VALIDATED = "validation_loss"


class TunedDecoder:
    """A decoder that gives one microscope's pictures back, by absolute and squared error.

    Parameters
    ----------
    autoencoder : AutoencoderKL
        In float32; its decoder is trained in place.
    train, validation : EncodedTiles
        In order. Validation tiles are judged by and never trained on; there may be none.
    settings : DecoderSettings
        How.

    Attributes
    ----------
    base : dict of Tensor
        The decoder's weights before any step.
    """

    columns = ("loss", "absolute", "squared", "train_loss", "validation_loss")

    def __init__(
        self,
        autoencoder: AutoencoderKL,
        train: EncodedTiles,
        validation: EncodedTiles,
        settings: DecoderSettings,
    ) -> None:
        self.autoencoder, self.settings, self.train = autoencoder, settings, train
        self.judged = {
            f"{role}_loss": tiles.chosen(even_choice(len(tiles.grey), JUDGED_TILES))
            for role, tiles in (("train", train), ("validation", validation))
            if len(tiles.grey)
        }
        autoencoder.requires_grad_(False).eval()
        autoencoder.decoder.requires_grad_(True)
        if settings.gradient_checkpointing:
            autoencoder.enable_gradient_checkpointing()
        weights = {f"decoder.{name}": one for name, one in autoencoder.decoder.named_parameters()}
        self.base = {name: weight.detach().clone() for name, weight in weights.items()}
        self.groups: Mapping[str, WeightGroup] = {
            "decoder": WeightGroup(
                weights, settings.learning_rate, settings.optimizer, weight_decay=0.0
            )
        }

    @property
    def mends(self) -> Mends:
        """The settings to change where the training fails."""
        ours = self.settings
        return Mends(
            divergence=f"Lower decoder.learning_rate (now {ours.learning_rate:g}), raise "
            "warmup_steps, or set precision: float32.",
            memory=f"A step has {ours.batch_size} crops of {ours.crop} pixels in "
            f"{ours.accumulation} pieces: raise decoder.accumulation, set gradient_checkpointing: "
            "true, lower decoder.crop or batch_size, or take a machine with more memory.",
        )

    def step_to_pieces(self, step: int) -> Sequence[Crops]:
        """Return the crops of a step in pieces."""
        ours = self.settings
        crops = draw_crops(self.train, ours.seed, step, ours.batch_size, ours.crop)
        return crops.pieces(ours.accumulation)

    def piece_to_losses(self, piece: Crops) -> Losses:
        """Return a piece's share of the absolute and the squared error."""
        share = len(piece) / self.settings.batch_size
        return {name: share * error for name, error in self._errors(piece).items()}

    def _errors(self, crops: Crops) -> Losses:
        """Return the mean errors of crops, in grey values from -1 to 1, over all three channels."""
        decoded = self._decode(crops.latents)
        grey = torch.from_numpy(crops.grey).to(decoded.device).float().div(127.5).sub(1)
        target = grey[:, None].expand_as(decoded)
        absolute = functional.l1_loss(decoded, target)
        squared = functional.mse_loss(decoded, target)
        total = absolute + self.settings.squared_weight * squared
        return {"loss": total, "absolute": absolute, "squared": squared}

    def _decode(self, latents: npt.NDArray[np.float32]) -> torch.Tensor:
        """Return what the decoder makes of unscaled latents, in float32."""
        given = torch.from_numpy(latents).to(self.autoencoder.device)
        return self.autoencoder.decode(given).sample.float()

    def judge(self) -> Judgement:
        """Return the losses of whole tiles; those of validation tiles are the score."""
        each = self._tile_losses()
        score = values_to_score(each[VALIDATED]) if VALIDATED in each else None
        return Judgement(_means(each), score)

    def losses(self) -> dict[str, float]:
        """Return the mean loss of whole tiles in float32.

        Returns
        -------
        dict
            ``train_loss`` and, if there are validation tiles, ``validation_loss``.
        """
        return _means(self._tile_losses())

    def _tile_losses(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the loss of each judged tile, given back from the mean of its latents."""
        with self._exactly():
            return {
                name: torch.stack([self._tile_loss(tiles, one) for one in range(len(tiles.grey))])
                .cpu()
                .numpy()
                for name, tiles in self.judged.items()
            }

    def _tile_loss(self, tiles: EncodedTiles, number: int) -> torch.Tensor:
        """Return the loss of one tile."""
        only = slice(number, number + 1)
        return self._errors(Crops(tiles.grey[only], tiles.mean[only, 0]))["loss"]

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """Compute as pictures are decoded: in float32, whatever the training's precision is."""
        with torch.no_grad(), torch.autocast(self.autoencoder.device.type, enabled=False):
            yield

    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Return some tiles, validation ones if there are any, and what is given back of them."""
        tiles = self.judged.get(VALIDATED, self.judged["train_loss"])
        shown = tiles.chosen(even_choice(len(tiles.grey), SHOWN_TILES))
        with self._exactly():
            decoded = [self._decode(mean).mean(1)[0].cpu() for mean in shown.mean]
        grey = torch.stack(decoded).add(1).mul(127.5).round().clamp(0, 255)
        return {"tiles": shown.grey, "given-back": grey.byte().numpy()}


def _means(values: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, float]:
    """Return the mean of each."""
    return {name: float(each.mean(dtype=np.float64)) for name, each in values.items()}
