"""Figures of the report: arrays and values become PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from pipeline_lib.reporting.tables import Measured, number

# Colours that stay apart for colour-blind readers (Okabe and Ito); markers and dashes differ too.
COLOURS = {"real": "#222222", "tuned": "#0072b2", "untuned": "#d55e00", "vae": "#009e73"}
COLOURS["class"] = "#cc79a7"
COLOURS["pixels"] = "#e69f00"  # models from scratch in pixels
COLOURS["floor"] = COLOURS["real"]
LINES = ("tuned", "untuned", "vae", "class")  # of lines in turn; black is for real images
DASHES = {"real": "-", "tuned": "-", "untuned": "--", "vae": ":"}
MARKERS = {"tuned": "o", "untuned": "s", "vae": "^", "floor": "D", "class": "v"}
SET_WORDS = {
    "tuned": "synthetic",
    "untuned": "untuned base",
    "vae": "VAE's cost",
    "class": "tuned, the class alone",
    "floor": "floor (real to real)",
    "real": "real, held out",
}
SIMILARITY_SETS = {
    "floor": ("held-out tiles", "real"),
    "tuned": ("synthetic", "tuned"),
    "remembered": ("remembered training tiles", "vae"),
}
SIMILARITY_BINS = 60
THRESHOLD_DASHES = {"resembles": ":", "copy": "--"}
THRESHOLD_WORDS = {"resembles": "resembles a training field above", "copy": "copy from"}
TRANSFER_CURVES = {
    "real": ("real training tiles", "real", "D"),
    "decoded": ("through the VAE and back", "vae", "^"),
    "restored": ("with the noise given back", "tuned", "o"),
}
WIDTH_INCHES = 5.4
# Beside the axes: inside them, a legend is crossed by what is drawn.
LEGEND_PLACE = "outside upper left"
DOTS_PER_INCH = 200
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "xtick.color": "#555555",
    "ytick.color": "#333333",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def image_to_png(image: npt.NDArray[np.uint8]) -> bytes:
    """Encode a picture without changing its grey values.

    Parameters
    ----------
    image : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The picture.

    Returns
    -------
    bytes
        The PNG file.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def shrink(images: npt.NDArray[np.uint8], largest_side: int) -> npt.NDArray[np.uint8]:
    """Average whole blocks of pixels until no side is longer than asked for.

    Parameters
    ----------
    images : ndarray of uint8, shape (images, rows, columns) or (images, rows, columns, 3)
        Pictures; rows and columns that do not fill a block are cut off.
    largest_side : int
        Longest side of the result in pixels.

    Returns
    -------
    ndarray of uint8
        The same pictures where they are small enough, else block means, rounded.
    """
    factor = max(-(-max(images.shape[1:3]) // largest_side), 1)
    if factor == 1:
        return images
    rows, columns = (side // factor for side in images.shape[1:3])
    cut = images[:, : rows * factor, : columns * factor].astype(np.float32)
    blocks = cut.reshape(len(images), rows, factor, columns, factor, *images.shape[3:])
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def figure_to_png(figure: Figure) -> bytes:
    """Encode a figure as PNG, nothing of its making inside: equal figures are equal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def similarities_to_png(
    similarities: Mapping[str, npt.NDArray[np.float64]], thresholds: Mapping[str, float]
) -> bytes:
    """Draw how like the training fields the images of each set are.

    Parameters
    ----------
    similarities : mapping
        By set (``floor``, ``tuned``, ``remembered``; others are not drawn).
    thresholds : mapping
        Similarity from which on an image is said to be what the key says (``resembles``,
        ``copy``); not drawn if NaN.

    Returns
    -------
    bytes
        A PNG: one histogram a set, one below the other, and above them what the lines mean.
    """
    drawn = {
        name: similarities[name] for name in SIMILARITY_SETS if len(similarities.get(name, ()))
    }
    edges = np.linspace(min(0.0, *(values.min() for values in drawn.values())), 1, SIMILARITY_BINS)
    lines = {name: at for name, at in thresholds.items() if np.isfinite(at)}
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 0.7 + 0.85 * len(drawn)), layout="constrained")
        axes = figure.subplots(len(drawn), 1, squeeze=False, sharex=True)[:, 0]
        for axis, (name, values) in zip(axes, drawn.items(), strict=True):
            words, colour = SIMILARITY_SETS[name]
            axis.hist(values, edges, color=COLOURS[colour], histtype="stepfilled")
            axis.set_title(f"{words} ({len(values):,})")
            axis.set_yticks([])
            for verdict, at in lines.items():
                axis.axvline(at, color=COLOURS["untuned"], lw=1.2, ls=THRESHOLD_DASHES[verdict])
        axes[-1].set_xlabel("similarity to the likest place of the training fields")
        if lines:
            styles = [
                Line2D([], [], color=COLOURS["untuned"], lw=1.2, ls=THRESHOLD_DASHES[verdict])
                for verdict in lines
            ]
            words = [f"{THRESHOLD_WORDS[verdict]} {number(at)}" for verdict, at in lines.items()]
            figure.legend(styles, words, loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def distances_to_png(panels: Mapping[str, Mapping[str, Measured]]) -> bytes:
    """Place tuned, untuned, VAE's cost and floor on one axis for each distance.

    Parameters
    ----------
    panels : mapping
        By the distance's name: values by set (``tuned``, ``untuned``, ``vae``, ``floor``).

    Returns
    -------
    bytes
        A PNG with one panel for each distance, intervals as bars.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 0.2 + 1.5 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False)
        for axis, (name, sets) in zip(axes[:, 0], panels.items(), strict=True):
            _draw_distance(axis, name, sets)
        return figure_to_png(figure)


def _draw_distance(axis: Axes, name: str, sets: Mapping[str, Measured]) -> None:
    """Draw one distance: a line for each set, smaller values to the left."""
    order = [key for key in MARKERS if key in sets]
    for height, key in enumerate(reversed(order)):
        measured, colour = sets[key], COLOURS[key]
        draw_measured(axis, height, key, measured)
        axis.annotate(
            number(measured.value),
            (measured.value, height),
            (0, 6),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=8,
        )
    axis.set_yticks(range(len(order)), [SET_WORDS[key] for key in reversed(order)])
    axis.set_ylim(-0.5, len(order) - 0.2)
    axis.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
    axis.margins(x=0.08)
    axis.set_title(f"{name}: smaller is nearer to real")


def spectra_to_png(spectra: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """Draw radial power spectra of sets of images.

    Parameters
    ----------
    spectra : mapping
        By set: mean power (rings,) of images twice as many pixels wide; ring k holds the
        frequencies nearest to (k + 1) / (2 rings) cycles per pixel.

    Returns
    -------
    bytes
        A PNG with logarithmic power over frequency.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.2), layout="constrained")
        axis = figure.subplots()
        for key, power in spectra.items():
            axis.semilogy(
                np.arange(1, len(power) + 1) / (2 * len(power)),
                power,
                DASHES[key],
                color=COLOURS[key],
                lw=1.5,
                label=_curve_label(key),
            )
        axis.set_xlabel("spatial frequency (cycles per pixel)")
        axis.set_ylabel("mean power")
        axis.set_xlim(0, 0.5)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def histograms_to_png(shares: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """Draw the shares of grey values in sets of images.

    Parameters
    ----------
    shares : mapping
        By set: (256,) share of pixels at each grey value, adding up to 1.

    Returns
    -------
    bytes
        A PNG, two grey values to a step.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.0), layout="constrained")
        axis = figure.subplots()
        edges = np.arange(0, 257, 2)
        for key, share in shares.items():
            axis.stairs(
                share.reshape(-1, 2).sum(axis=1),
                edges,
                color=COLOURS[key],
                ls=DASHES[key],
                lw=1.4,
                baseline=None,
                label=_curve_label(key),
            )
        axis.set_xlabel("grey value (8-bit, after the intensity map)")
        axis.set_ylabel("share of pixels")
        axis.set_xlim(0, 256)
        axis.set_ylim(bottom=0)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def transfer_curves_to_png(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> bytes:
    """Draw the variance of a camera's noise against the grey value.

    Parameters
    ----------
    curves : mapping
        By version of the training tiles (``real``, ``decoded``, ``restored``): ``grey`` and
        ``variance`` (squared grey levels); both may be empty.

    Returns
    -------
    bytes
        A PNG.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.0), layout="constrained")
        axis = figure.subplots()
        for key, (words, like, marker) in TRANSFER_CURVES.items():
            values = curves[key]
            style = {"color": COLOURS[like], "ls": DASHES[like], "marker": marker}
            axis.plot(values["grey"], values["variance"], lw=1.4, ms=4, label=words, **style)
        axis.set_xlabel("grey value (8-bit, after the intensity map)")
        axis.set_ylabel("variance (grey levels²)")
        axis.set_ylim(bottom=0)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def _curve_label(key: str) -> str:
    """Return what a curve is called in a legend."""
    return "real, through the VAE and back" if key == "vae" else SET_WORDS[key]


def training_to_png(
    steps: npt.NDArray[np.integer], losses: Mapping[str, npt.NDArray[np.floating]]
) -> bytes:
    """Draw the course of the losses: every step pale, the running mean strong.

    Parameters
    ----------
    steps : ndarray of int, shape (rows,)
        Optimizer steps.
    losses : mapping
        By name: the loss at each of them, NaN where it was not measured.

    Returns
    -------
    bytes
        The PNG.
    """
    cycle = [COLOURS["tuned"], COLOURS["untuned"], COLOURS["vae"], "#cc79a7", COLOURS["real"]]
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.0), layout="constrained")
        axis = figure.subplots()
        for index, (name, values) in enumerate(losses.items()):
            colour = cycle[index % len(cycle)]
            there = np.isfinite(values)
            axis.plot(steps[there], values[there], color=colour, lw=0.7, alpha=0.3)
            at, mean = running_mean(steps[there], values[there])
            axis.plot(at, mean, color=colour, lw=1.8, label=name)
        axis.set_xlabel("step")
        axis.set_ylabel("loss")
        axis.set_ylim(bottom=0)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def running_mean(
    positions: npt.NDArray[np.number], values: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Average neighbouring values over a window of a twentieth of the series.

    Parameters
    ----------
    positions, values : ndarray, shape (n,)
        The series.

    Returns
    -------
    tuple of ndarray
        Mean positions and mean values of each full window.
    """
    window = max(1, len(values) // 20)
    weights = np.full(window, 1 / window)
    if not len(values):
        return np.empty(0), np.empty(0)
    return np.convolve(positions, weights, "valid"), np.convolve(values, weights, "valid")


def draw_measured(axis: Axes, height: float, key: str, measured: Measured) -> None:
    """Draw the value of one set at one height, its interval as a bar."""
    if measured.has_interval:
        interval = [measured.low, measured.high]
        axis.plot(interval, [height, height], color=COLOURS[key], lw=2, alpha=0.4)
    axis.plot(measured.value, height, MARKERS[key], color=COLOURS[key], ms=6)
