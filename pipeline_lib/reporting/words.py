"""What metrics are called on a page, what they mean, and which direction is good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_lib.evaluation.object_comparisons import EFFECT_SIZES
from pipeline_lib.evaluation.spectra import BANDS

NO_EXTRACTOR = ("", "none")
NEARER = "Smaller is nearer to real"
EQUAL_AT_ONE = "Best at 1"
EQUAL_AT_ZERO = "Best at 0"
TO_THE_FLOOR = "Larger is nearer to real, up to the floor"
REAL_VARIETY = "Best at the value of real tiles, floor or held-out"
EFFECT = (
    "Cliff's delta of {what}: how often an image has more than a held-out tile, less how often it "
    "has less; "
    + ", ".join(f"below {bound:g} {name}" for name, bound in EFFECT_SIZES.items())
    + ", else large."
)
EFFECTS = {
    "count": ("Objects", "the number of objects"),
    "coverage": ("Coverage", "the share that objects cover"),
    "diameter": ("Diameter", "the mean diameter of an image's objects"),
    "eccentricity": ("Eccentricity", "the mean eccentricity of an image's objects"),
    "nearest_neighbour": ("Nearest neighbour", "the mean distance to the nearest neighbour"),
    "ring_contrast": ("Ring contrast", "the mean ring contrast of an image's objects"),
}
NEIGHBOURS = (
    "How much the distance of an object to its nearest neighbour must change on average for both "
    "sets to be alike (Wasserstein-1, {unit})."
)
DIAMETERS = (
    "How much the diameter of an object must change on average for both sets to have the same "
    "diameters (Wasserstein-1, {unit})."
)


@dataclass(frozen=True)
class ExtractorWords:
    """An extractor's proper name, and how a paper cites it."""

    name: str
    citation: str


EXTRACTORS = {
    "efficientnet-lite0": ExtractorWords(
        "EfficientNet-Lite0", "EfficientNet-Lite0 with ImageNet weights (after Tan and Le 2019)"
    ),
    "dinov2-small": ExtractorWords("DINOv2 ViT-S/14", "DINOv2 (small; Oquab et al. 2023)"),
    "dinov2-base": ExtractorWords("DINOv2 ViT-B/14", "DINOv2 (base; Oquab et al. 2023)"),
    "dinov2-large": ExtractorWords("DINOv2 ViT-L/14", "DINOv2 (large; Oquab et al. 2023)"),
    "dino-vits16": ExtractorWords("DINO ViT-S/16", "DINO ViT-S/16 (Caron et al. 2021)"),
    "clip-vit-base-patch32": ExtractorWords("CLIP ViT-B/32", "CLIP ViT-B/32 (Radford et al. 2021)"),
    "clip-vit-large-patch14": ExtractorWords(
        "CLIP ViT-L/14", "CLIP ViT-L/14 (Radford et al. 2021)"
    ),
    "lpips-alex": ExtractorWords("LPIPS, AlexNet", "LPIPS v0.1 with AlexNet (Zhang et al. 2018)"),
    "inception-fid": ExtractorWords(
        "Inception v3 of FID",
        "the Inception v3 of the Frechet Inception Distance (Heusel et al. 2017)",
    ),
}


@dataclass(frozen=True)
class MetricWords:
    """A metric in plain words."""

    label: str
    meaning: str = ""
    direction: str = ""


METRICS = {
    "kernel_distance": MetricWords(
        "Kernel distance",
        "How far two sets of images lie apart in the features of a network (squared maximum mean "
        "discrepancy, unbiased: around 0 for equal sets, so small negative values occur).",
        NEARER,
    ),
    "kernel_distance_difference": MetricWords(
        "Difference of kernel distances",
        "How much farther from the held-out tiles the tuned set lies than another. Both distances "
        "share the held-out tiles, so that the difference is surer than they are.",
        "Below 0, tuned is nearer",
    ),
    "structure_distance": MetricWords(
        "Structure distance",
        "Kernel distance of the images without their fine grain (a Gaussian of two pixels): cells "
        "alone, no noise.",
        NEARER,
    ),
    "structure_distance_difference": MetricWords(
        "Difference of structure distances",
        "How much farther from the held-out tiles the tuned set lies than another, without grain.",
        "Below 0, tuned is nearer",
    ),
    "frechet_distance": MetricWords(
        "Frechet distance",
        "How far the means and spreads of the features lie apart. It is too large for small sets: "
        "compare columns with equal numbers of images only.",
        NEARER,
    ),
    "fid": MetricWords(
        "FID",
        "The Frechet Inception Distance. It is too large for small sets, by an amount that depends "
        "on their size: compare columns with equal numbers of images only.",
        NEARER,
    ),
    "cmmd": MetricWords(
        "CMMD",
        "How far two sets lie apart in CLIP's embedding (squared maximum mean discrepancy with a "
        "Gaussian kernel, times 1000, unbiased; published values are mostly of the biased form).",
        NEARER,
    ),
    "dino": MetricWords(
        "DINO",
        "Mean cosine similarity of images and held-out tiles in DINO's embedding (DreamBooth's "
        "fidelity to the subject). Copies of one training image score best.",
        TO_THE_FLOOR,
    ),
    "clip_i": MetricWords(
        "CLIP-I",
        "Mean cosine similarity of images and held-out tiles in CLIP's embedding. Copies of one "
        "training image score best.",
        TO_THE_FLOOR,
    ),
    "clip_t": MetricWords(
        "CLIP-T",
        "Mean cosine similarity of images and their prompt, without its identifier, in CLIP's "
        "embedding.",
        "Larger follows the prompt",
    ),
    "pres": MetricWords(
        "PRES",
        "Mean cosine similarity, in DINO's embedding, of held-out tiles and the tuned model's "
        "images of the class alone; compare with DINO of the untuned base: above it, the class "
        "has drifted towards the subject.",
        "Best at the untuned base's DINO",
    ),
    "diversity": MetricWords(
        "Diversity",
        "Mean of 1 less the cosine similarity over pairs of the set's own images; not "
        "DreamBooth's DIV, which takes another distance.",
        TO_THE_FLOOR,
    ),
    "div": MetricWords(
        "DIV",
        "Mean LPIPS over pairs of the set's own images, all of one prompt (DreamBooth's DIV); of "
        "real tiles over pairs of different fields. Noise and faults are diverse, too.",
        REAL_VARIETY,
    ),
    "lpips_diversity": MetricWords(
        "LPIPS diversity",
        "As DIV, by other weights than the published ones: not to be compared with DIV.",
        REAL_VARIETY,
    ),
    "background_entanglement": MetricWords(
        "Background entanglement",
        "How far the background (level and noise) of the tuned model's images of the class alone "
        "has gone from the untuned base's to the subject's: 0 not at all, 1 all the way.",
        EQUAL_AT_ZERO,
    ),
    "precision": MetricWords(
        "Precision",
        "Share of images that lie where the held-out tiles do: in a ball around one of them that "
        "reaches to its fifth nearest tile of another field.",
        TO_THE_FLOOR,
    ),
    "recall": MetricWords(
        "Recall",
        "Share of held-out tiles that lie where the images do; low where kinds of images are "
        "missing.",
        TO_THE_FLOOR,
    ),
    "density": MetricWords(
        "Density",
        "In how many of the balls around held-out tiles an image lies, over what is expected of "
        "real images; below the floor, images lie at the edge or outside, above it too near the "
        "middle.",
        "Best at the floor, near 1",
    ),
    "coverage": MetricWords(
        "Coverage",
        "Share of held-out tiles that have an image in their ball; low where kinds of images are "
        "missing. It grows with the number of images.",
        TO_THE_FLOOR,
    ),
    "two_sample_accuracy": MetricWords(
        "Two-sample accuracy",
        "How often a classifier tells rightly whether an image is a held-out tile, on images and "
        "fields that it has not seen; 1 where it always does.",
        "Best at 0.5, a guess",
    ),
    "memorisation_ratio": MetricWords(
        "Memorisation ratio",
        "Mean distance of an image to its nearest training tile, over that of held-out tiles, in "
        "features; below 1, images are nearer to the training tiles than unseen real ones are.",
        EQUAL_AT_ONE,
    ),
    "memorisation_share": MetricWords(
        "Nearer than unseen tiles",
        "How often an image is nearer to the training tiles than a held-out tile is, over all "
        "pairs of the two, in features; 1 for copies.",
        "Best at 0.5",
    ),
    "copy_share": MetricWords(
        "Share of copies",
        "Share of images that are a place of a training field in all that the autoencoder keeps.",
        "Smaller is better, down to the floor",
    ),
    "resemblance_share": MetricWords(
        "Share that resembles",
        "Share of images that are no copies but more like a place of a training field than hardly "
        "any held-out real tile is; by the threshold's making, a few of those are too (floor).",
        "Smaller is better, down to the floor",
    ),
    "near_share": MetricWords(
        "Share near in features",
        "Share of images nearer to a training tile than hardly any held-out real tile is, in "
        "features alone. A common texture explains that as well as a copy does.",
        "Smaller is better, down to the floor",
    ),
    "intensity_distance": MetricWords(
        "Grey-value distance",
        "How many grey levels a pixel must change on average for both sets to have the same "
        "histogram (Wasserstein-1).",
        NEARER,
    ),
    "background_shift": MetricWords(
        "Background shift",
        "Median grey level of the images, less that of the held-out ones.",
        EQUAL_AT_ZERO,
    ),
    "noise_ratio": MetricWords(
        "Noise ratio", "Pixel noise, relative to the held-out images.", EQUAL_AT_ONE
    ),
    "sharpness_ratio": MetricWords(
        "Sharpness ratio",
        "Variance of the Laplacian, relative to the held-out images; below 1 is softer.",
        EQUAL_AT_ONE,
    ),
    "spectrum_distance": MetricWords(
        "Spectrum distance",
        "Root mean square difference of the radial power spectra, in decibels.",
        NEARER,
    ),
    "grid_peak_ratio_8_px": MetricWords(
        "Grid of 8 pixels",
        "Power at the period of the decoder's cells over its surroundings, relative to the "
        "held-out images; above 1, a grid shows.",
        EQUAL_AT_ONE,
    ),
    "object_count_ratio": MetricWords(
        "Object count ratio",
        "Objects in an image by one segmenter on both sides, relative to the held-out images.",
        EQUAL_AT_ONE,
    ),
    "object_coverage_ratio": MetricWords(
        "Object coverage ratio",
        "Share of the image that objects cover, relative to the held-out images.",
        EQUAL_AT_ONE,
    ),
    "object_diameter_distance_um": MetricWords(
        "Object diameter distance (µm)", DIAMETERS.format(unit="micrometres"), NEARER
    ),
    "object_diameter_distance_px": MetricWords(
        "Object diameter distance (pixels)", DIAMETERS.format(unit="pixels"), NEARER
    ),
    "object_nearest_neighbour_distance_um": MetricWords(
        "Nearest neighbour distance (µm)", NEIGHBOURS.format(unit="micrometres"), NEARER
    ),
    "object_nearest_neighbour_distance_px": MetricWords(
        "Nearest neighbour distance (pixels)", NEIGHBOURS.format(unit="pixels"), NEARER
    ),
    "object_eccentricity_distance": MetricWords(
        "Object eccentricity distance",
        "How much the eccentricity of an object (0 a disc, 1 a line) must change on average for "
        "both sets to be alike (Wasserstein-1).",
        NEARER,
    ),
    "object_coverage_difference": MetricWords(
        "Object coverage difference",
        "Share of the image that objects cover (confluence), less that of the held-out images.",
        EQUAL_AT_ZERO,
    ),
    "object_ring_contrast_difference": MetricWords(
        "Ring contrast difference",
        "Grey levels by which the outer part of an object is brighter than its middle, less that "
        "of the held-out images: the halo of focus, and its sign.",
        EQUAL_AT_ZERO,
    ),
    "object_unlike_share": MetricWords(
        "Share of objects unlike any held-out one",
        "Share of objects farther from the nearest held-out object, in size, shape, ring contrast "
        "and grey levels, than 99 % of held-out objects are from those of other fields.",
        "Smaller is better, down to the floor",
    ),
}
METRICS |= {
    f"object_{name}_effect": MetricWords(
        f"{label}, effect size", EFFECT.format(what=what), EQUAL_AT_ZERO
    )
    for name, (label, what) in EFFECTS.items()
}
METRICS |= {
    f"power_ratio_{low}_to_{high}_px": MetricWords(
        f"Power ratio, {low} to {high} pixels",
        f"Power of structures {low} to {high} pixels long, relative to the held-out images; "
        "below 1 they are too faint.",
        EQUAL_AT_ONE,
    )
    for low, high in BANDS
}


def extractor_to_words(extractor: str) -> ExtractorWords:
    """Return an extractor's proper name and citation; those that are not known go by their own."""
    return EXTRACTORS.get(extractor, ExtractorWords(extractor, extractor))


def metric_to_words(metric: str, extractor: str = "") -> MetricWords:
    """Describe a metric.

    Parameters
    ----------
    metric : str
        Its name in metrics.csv.
    extractor : str
        The feature extractor it is based on, empty or ``none`` for those that need none.

    Returns
    -------
    MetricWords
        With the extractor's name in brackets; unknown metrics go by their own name.
    """
    words = METRICS.get(metric, MetricWords(metric.replace("_", " ").capitalize()))
    if extractor in NO_EXTRACTOR:
        return words
    label = f"{words.label} ({extractor_to_words(extractor).name})"
    return MetricWords(label, words.meaning, words.direction)


def flags_to_notes(flags: Iterable[str]) -> list[str]:
    """Write flags as sentences, in alphabetical order."""
    return [sentence(flag) for flag in sorted(flags)]


def sentence(words: str) -> str:
    """Return words with a capital letter and a full stop."""
    text = words.strip().replace("_", " ")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def in_sentence(label: str) -> str:
    """Return a label as it stands inside a sentence."""
    return label[:1].lower() + label[1:]
