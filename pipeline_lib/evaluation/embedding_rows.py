"""Rows of the scores that belong to one family of extractors: CMMD and DreamBooth's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.cmmd import to_unit_length, units_to_cmmd_statistic
from pipeline_lib.evaluation.comparisons import (
    CLASS,
    CLIP_I,
    CLIP_T,
    CMMD,
    DINO,
    DIVERSITY,
    FEW_SYNTHETIC,
    ITSELF,
    PRIOR_PRESERVATION,
    SYNTHETIC,
    MetricRow,
    comparison_estimate,
    count_fields,
    empty_row,
    image_origins,
    interval_flags,
    with_estimate,
)
from pipeline_lib.evaluation.dreambooth_scores import (
    embeddings_to_diversity,
    embeddings_to_prompt_fidelity,
    embeddings_to_subject_fidelity,
)
from pipeline_lib.evaluation.intervals import Statistic, jackknife_estimate, units_to_flag
from pipeline_lib.evaluation.measurements import Measures
from pipeline_lib.evaluation.origins import Origins

FIDELITY = {"dino": DINO, "clip": CLIP_I}
PROMPT = "prompt"


@dataclass(frozen=True)
class ExtractorFacts:
    """What an extractor's scores may be called.

    Attributes
    ----------
    name : str
        Name in the registry.
    family : str
        What kind of network it is.
    is_fid : bool
        Whether Frechet distances of its features are FID.
    """

    name: str
    family: str
    is_fid: bool = False


def measures_to_embedding_rows(
    reference: Measures,
    sample: Measures,
    name: str,
    extractor: ExtractorFacts,
    confidence: float,
    paired: bool = False,
    shared: Origins | None = None,
    prompt: npt.NDArray[np.floating] | None = None,
) -> list[MetricRow]:
    """Compare a set with the reference by what its extractor's family is known for.

    Parameters
    ----------
    reference, sample, name, confidence, paired, shared
        As in `comparisons.measures_to_rows`.
    extractor : ExtractorFacts
        CLIP gives ``cmmd``, ``clip_i``, ``clip_t`` and ``diversity``; DINO gives ``dino``, for
        images of the class ``pres`` in its place, and ``diversity``; the others give nothing.
    prompt : ndarray, optional
        (D,) embedding of the prompt that the set was made by.

    Returns
    -------
    list of MetricRow
        References are ``holdout``, ``prompt`` of CLIP-T and ``itself`` of diversity.
    """
    if extractor.family not in FIDELITY:
        return []
    counts = reference.unit_count(), sample.unit_count()
    fields = count_fields(name, reference, sample)
    row = empty_row("", name, (len(reference), len(sample)), fields)
    origins = image_origins(name, reference, sample, paired, shared)
    flags = (units_to_flag(fields), *interval_flags(shared, [(name, sample)]))
    few = units_to_flag(counts[1])
    of_sample = FEW_SYNTHETIC if few and name in SYNTHETIC else few
    whole = np.ones(counts[0], bool)
    rows = []
    for metric, against, statistic in _statistics(
        reference, sample, name, extractor, origins, paired, shared, prompt
    ):
        own = replace(row, metric=metric, reference=against, extractor=extractor.name)
        if against in (ITSELF, PROMPT):
            # No held-out tile has a part in these.
            estimate = jackknife_estimate(partial(statistic, whole), counts[1:], confidence)
            fields = 0 if name in SYNTHETIC else counts[1]
            own = replace(own, n_reference=0, fields=fields)
            rows.append(with_estimate(own, estimate, (of_sample,)))
            continue
        estimate = comparison_estimate(
            metric, statistic, counts, paired, shared is not None, confidence
        )
        rows.append(with_estimate(own, estimate, flags))
    return rows


def _statistics(
    reference: Measures,
    sample: Measures,
    name: str,
    extractor: ExtractorFacts,
    origins: Origins,
    paired: bool,
    shared: Origins | None,
    prompt: npt.NDArray[np.floating] | None,
) -> list[tuple[str, str, Statistic]]:
    """Return name, reference and function of the kept units of each score."""
    of_reference, of_sample = (to_unit_length(one.features) for one in (reference, sample))

    def fidelity(kept: np.ndarray, kept_sample: np.ndarray) -> float:
        own, other = kept[reference.units], kept_sample[sample.units]
        return embeddings_to_subject_fidelity(
            of_sample[other], of_reference[own], (origins[1][other], origins[0][own])
        )

    def diversity(kept: np.ndarray, kept_sample: np.ndarray) -> float:
        own = kept_sample[sample.units]
        return embeddings_to_diversity(of_sample[own], np.zeros(own.sum()), origins[1][own])

    def prompt_fidelity(kept: np.ndarray, kept_sample: np.ndarray) -> float:
        return embeddings_to_prompt_fidelity(of_sample[kept_sample[sample.units]], [prompt])

    drifted = extractor.family == "dino" and name == CLASS
    likeness = PRIOR_PRESERVATION if drifted else FIDELITY[extractor.family]
    found = [(likeness, "holdout", fidelity), (DIVERSITY, ITSELF, diversity)]
    if prompt is not None and name in SYNTHETIC:
        found.append((CLIP_T, PROMPT, prompt_fidelity))
    if extractor.family == "clip":
        sides = reference.features, reference.units, sample.features, sample.units
        found.insert(0, (CMMD, "holdout", units_to_cmmd_statistic(*sides, paired, shared)))
    return found
