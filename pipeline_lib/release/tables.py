"""metadata.csv, by which ImageFolder of Hugging Face's `datasets` joins words to images.

See https://huggingface.co/docs/datasets/image_dataset: a file of this name beside the images, whose
column ``file_name`` has their paths; further columns become features of each image.
"""

from __future__ import annotations

import pandas as pd

METADATA = "metadata.csv"
FILE_NAME = "file_name"
# What each column holds, in the words of the cards, and its type in those of schema.org.
COLUMNS = {
    FILE_NAME: ("path of the image within this folder", "sc:Text"),
    "text": ("caption", "sc:Text"),
    "prompt": ("what the image was drawn with", "sc:Text"),
    "concept": ("name of the subject", "sc:Text"),
    "prompt_name": ("name of the data set and the prompt", "sc:Text"),
    "index": ("number of the image within its prompt", "sc:Integer"),
    "pixel_size_um": ("width of a pixel in micrometres, empty where unknown", "sc:Float"),
    "verdict": ("how near the image is to a training image: new, near or copy", "sc:Text"),
    "similarity": ("the likeness that this rests on, 1 for the same picture", "sc:Float"),
}
NAMES = {"file": FILE_NAME, "caption": "text"}


def images_to_metadata(images: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the released images.

    Parameters
    ----------
    images : DataFrame
        Rows of the manifest with ``file`` and ``caption``.

    Returns
    -------
    DataFrame
        The columns of `COLUMNS`, in the images' order.
    """
    return images.rename(columns=NAMES)[list(COLUMNS)]
