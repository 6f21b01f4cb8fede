"""Cellpose in the place of the segmenter by contrast, where it is installed.

Its weights (Cellpose-SAM; Pachitariu, Rariden and Stringer 2025) were trained on data for
non-commercial use, and are downloaded by cellpose itself when it is first used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.segmentation import relabel_sequential

from pipeline_lib.settings.base import UserError

# Its default drops objects larger than two fifths of an image, which must not go unseen here.
LARGEST_SHARE = 1.0


@dataclass(frozen=True)
class CellposeSegmenter:
    """A segmenter by Cellpose with its own settings; fitted to nothing.

    Attributes
    ----------
    model : cellpose.models.CellposeModel
        Of cellpose 4.
    cellprob_threshold : float
        Logit above which a pixel may belong to an object; cellpose's own default is 0.
    """

    model: Any
    cellprob_threshold: float = 0.0

    def image_to_labels(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
        """Return the objects of one image, as `objects.Segmenter` says."""
        masks, _, _ = self.model.eval(
            image,
            max_size_fraction=LARGEST_SHARE,
            cellprob_threshold=self.cellprob_threshold,
        )
        return relabel_sequential(np.asarray(masks, np.int32))[0]


def load_cellpose_segmenter(gpu: bool = True) -> CellposeSegmenter:
    """Load Cellpose.

    Parameters
    ----------
    gpu : bool
        Whether to use a GPU; cellpose takes the processor where there is none, some seconds an
        image.

    Returns
    -------
    CellposeSegmenter
        With the weights that cellpose 4 takes by default.

    Raises
    ------
    UserError
        If cellpose cannot be imported, or is older than 4.
    """
    try:
        from cellpose import models
    except ImportError as error:
        raise UserError(
            "evaluation: segmenter: cellpose needs the package cellpose, which cannot be imported: "
            "`pip install 'cellpose>=4.0.1,<5'`, or set segmenter to contrast"
        ) from error
    if hasattr(models, "Cellpose"):
        raise UserError(
            "evaluation: segmenter: cellpose needs cellpose 4, found an older one: "
            "`pip install 'cellpose>=4.0.1,<5'`"
        )
    return CellposeSegmenter(models.CellposeModel(gpu=gpu))
