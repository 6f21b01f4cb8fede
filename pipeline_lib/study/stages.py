"""What each stage is told: from the study to the settings of one job."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipeline_lib.files import value_to_sha256
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import FetchStage
from pipeline_lib.settings.camera import CameraNoiseChoice, CameraStage
from pipeline_lib.settings.decoder import DecoderRoundTripStage, DecoderStage
from pipeline_lib.settings.detection import (
    DetectorSettings,
    DetectorsStage,
    DownstreamStage,
)
from pipeline_lib.settings.diversity import DiversityStage
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept
from pipeline_lib.settings.evaluation import MetricsStage
from pipeline_lib.settings.features import FeaturesStage, FetchExtractorStage
from pipeline_lib.settings.from_scratch import ScratchConcept, ScratchStage
from pipeline_lib.settings.labels import LabelledConcept, LabelsStage
from pipeline_lib.settings.latents import LatentsStage
from pipeline_lib.settings.light import EvenLight
from pipeline_lib.settings.named_priors import NamedPrior
from pipeline_lib.settings.naming import IdentifierStage, NounsStage
from pipeline_lib.settings.priors import PriorStage
from pipeline_lib.settings.quality import QualityStage
from pipeline_lib.settings.reading import IngestStage
from pipeline_lib.settings.real_priors import PriorImagesStage, RealPrior
from pipeline_lib.settings.release import ReleaseStage
from pipeline_lib.settings.report import ReportStage, StudyReportStage
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage
from pipeline_lib.settings.splitting import SourceRegion, SplitStage
from pipeline_lib.settings.survey import SurveyStage
from pipeline_lib.settings.templates import takes_caption, template_to_prompt, without_caption
from pipeline_lib.settings.tiling import TilesStage
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import FinetuneStage
from pipeline_lib.study.parts import AUTO, ImageSet, Run, Study
from pipeline_lib.study.registries import headline_extractor
from pipeline_lib.study.runs import training_template

UNGUIDED = {"guidance": 1.0, "guidance_interval": None, "negative_prompt": ""}


def ingest_stage(study: Study, concept: str, source: str) -> IngestStage:
    """Return the settings of reading one raw file."""
    return IngestStage(source=source, reading=study.sources[concept][source].reading)


def quality_stage(study: Study, concept: str) -> QualityStage:
    """Return the settings of a concept's quality check."""
    accepted = tuple(one.name for one in study.sources[concept].values() if one.accepted)
    return QualityStage(
        thresholds=study.configuration.quality,
        accepted=accepted,
        groups=_sources_together(study.regions[concept]),
    )


def _sources_together(regions: Sequence[SourceRegion]) -> dict[str, str]:
    """Return the group of each source that is in one group, as a whole, with another one."""
    groups: dict[str, set[str]] = {}
    for region in regions:
        groups.setdefault(region.source, set()).add(region.group)
    whole = {source: min(found) for source, found in groups.items() if len(found) == 1}
    members = Counter(whole.values())
    return {source: group for source, group in whole.items() if members[group] > 1}


def split_stage(study: Study, dataset: str) -> SplitStage:
    """Return the settings of a dataset's split; captions only where a prompt will tell them."""
    settings = study.configuration.datasets[dataset]
    regions = study.regions[settings.concept]
    if not takes_caption(training_template(study.configuration, settings.concept)):
        regions = tuple(region.model_copy(update={"caption": None}) for region in regions)
    return SplitStage(
        regions=regions,
        split=settings.split,
        intensity=settings.intensity,
        training_planes=settings.training_planes,
        light=_even_light(study, dataset),
    )


def tiles_stage(study: Study, dataset: str) -> TilesStage:
    """Return the settings of a dataset's tiles."""
    settings = study.configuration.datasets[dataset]
    return TilesStage(tiles=settings.tiles, light=_even_light(study, dataset))


def _even_light(study: Study, dataset: str) -> EvenLight:
    """Return how a dataset's light is evened out; how a blank field is read where there is one."""
    settings = study.configuration.datasets[dataset]
    reading = study.configuration.concepts[settings.concept].reading if settings.blank else None
    return EvenLight(
        transmittance=settings.transmittance, **({"reading": reading} if reading else {})
    )


def fetch_stage(study: Study, base: str) -> FetchStage:
    """Return the settings of fetching a base model."""
    return FetchStage(name=base, entry=study.bases[base])


def fetch_extractor_stage(study: Study, extractor: str) -> FetchExtractorStage:
    """Return the settings of fetching a feature extractor."""
    return FetchExtractorStage(name=extractor, entry=study.used_extractors[extractor])


def concept_to_ranking(concept: TrainedConcept) -> str:
    """Return the name of the ranking of identifiers that serves a concept.

    Identifiers are measured in one prompt of the class: concepts with the same one share a ranking,
    and neither the order of runs nor of concepts matters.
    """
    words = re.sub(r"[^a-z0-9]+", "-", f"{concept.modality} {concept.noun}".lower())
    told = [without_caption(concept.training_prompt), concept.modality, concept.noun]
    return f"{words[:60].strip('-')}-{value_to_sha256(told)[:8]}"


def run_rankings(run: Run) -> list[str]:
    """Return the ranking of each concept of a run whose identifier is not stated, in order."""
    return [concept_to_ranking(one) for one in run.concepts if one.identifier == AUTO]


def identifier_stage(study: Study, base: str, ranking: str) -> IdentifierStage:
    """Return the settings of the search for the identifiers of one noun, light and template."""
    trained = (concept for run in study.runs.values() for concept in run.concepts)
    concept = next(one for one in trained if concept_to_ranking(one) == ranking)
    return IdentifierStage(
        candidates=study.configuration.identifier_candidates,
        template=without_caption(concept.training_prompt),
        noun=concept.noun,
        modality=concept.modality,
        size=study.bases[base].size,
    )


def prior_stage(study: Study, prior: str, shard: int) -> PriorStage:
    """Return the settings of one shard of class images.

    The prior's own total is replaced by the shard's, so that a larger total only adds shards.
    """
    settings = study.configuration.priors[prior]
    first, count = shard_to_span(shard, settings.count, settings.images_per_shard)
    return PriorStage(
        name=prior, prior=settings.model_copy(update={"count": count}), first=first, count=count
    )


def prior_images_stage(study: Study, prior: str) -> PriorImagesStage:
    """Return the settings of a prior of real class images."""
    settings = study.configuration.priors[prior]
    kept = {key: getattr(settings, key) for key in RealPrior.model_fields}
    return PriorImagesStage(name=prior, prior=RealPrior(**kept))


def prior_shard_count(prior: NamedPrior) -> int:
    """Return the number of shards of a prior; real images, which are only encoded, are one."""
    return 1 if prior.images else shard_count(prior.count, prior.images_per_shard)


def latents_stage(study: Study, dataset: str) -> LatentsStage:
    """Return the settings of a dataset's latent cache."""
    concept = study.configuration.datasets[dataset].concept
    return LatentsStage(modality=study.configuration.concepts[concept].modality)


def nouns_stage(study: Study, dataset: str) -> NounsStage:
    """Return the settings of comparing class nouns on a dataset's training tiles."""
    name = study.configuration.datasets[dataset].concept
    concept = study.configuration.concepts[name]
    return NounsStage(
        noun=concept.noun,
        candidates=concept.noun_candidates,
        modality=concept.modality,
        template=without_caption(training_template(study.configuration, name)),
    )


def compared_datasets(study: Study) -> list[tuple[str, str]]:
    """Return base and dataset of all runs' concepts that name other nouns, each pair once.

    Raises
    ------
    UserError
        If there are none.
    """
    concepts = study.configuration.concepts
    pairs = {
        (run.base, one.dataset)
        for run in study.runs.values()
        for one in run.concepts
        if concepts[one.concept].noun_candidates and not run.from_scratch
    }
    if not pairs:
        raise UserError(
            "no nouns to compare: name some in `noun_candidates` of a concept of the configuration"
        )
    return sorted(pairs)


def camera_stage(dataset: str) -> CameraStage:
    """Return the settings of measuring a dataset's camera noise."""
    return CameraStage(dataset=dataset)


def decoder_stage(study: Study, base: str, dataset: str) -> DecoderStage:
    """Return the settings of tuning a base model's decoder to a dataset."""
    concept = study.configuration.datasets[dataset].concept
    return DecoderStage(
        base=base,
        dataset=dataset,
        modality=study.configuration.concepts[concept].modality,
        decoder=study.configuration.decoder,
    )


def decoder_roundtrip_stage(dataset: str) -> DecoderRoundTripStage:
    """Return the settings of sending a dataset's tiles through the tuned decoder."""
    return DecoderRoundTripStage(dataset=dataset)


def finetune_stage(study: Study, run: str) -> FinetuneStage:
    """Return the settings of one run's training."""
    settings = study.runs[run]
    return FinetuneStage(
        run=run, base=settings.base, concepts=settings.concepts, training=settings.training
    )


def scratch_stage(study: Study, run: str) -> ScratchStage:
    """Return the settings of one run's training from scratch."""
    settings = study.runs[run]
    return ScratchStage(
        run=run,
        base=settings.base,
        concepts=tuple(
            ScratchConcept(**{key: getattr(one, key) for key in ScratchConcept.model_fields})
            for one in settings.concepts
        ),
        training=settings.training,
    )


def sample_stage(study: Study, model: str, folder: str, shard: int) -> SampleStage:
    """Return the settings of one shard of synthetic images."""
    image_set = study.image_sets[model, folder]
    per_shard = study.configuration.sampling.images_per_shard
    return drawn_stage(study, image_set, *shard_to_span(shard, image_set.count, per_shard))


def drawn_stage(study: Study, images: ImageSet, first: int, count: int) -> SampleStage:
    """Return the settings of drawing some images of a set, from a number on."""
    concept = study.configuration.concepts[images.concept]
    return SampleStage(
        prompt_name=images.folder,
        concept=images.concept,
        noun=concept.noun,
        modality=concept.modality,
        template=images.prompt.template,
        identifier=images.identifier,
        size=images.size,
        sampler=sampler_of(study, images),
        camera_noise=camera_noise_of(study, images),
        first=first,
        count=count,
    )


def run_of(study: Study, images: ImageSet) -> Run | None:
    """Return the run that an image set is drawn by, none for an untuned base."""
    return None if images.run is None else study.runs[images.run]


def sampler_of(study: Study, images: ImageSet) -> SamplerSettings:
    """Return how an image set is drawn; a model that reads no prompt has no guidance."""
    sampler, run = study.configuration.sampling.sampler, run_of(study, images)
    if run is None or not run.from_scratch:
        return sampler
    return sampler.model_copy(update=UNGUIDED)


def camera_noise_of(study: Study, images: ImageSet) -> CameraNoiseChoice:
    """Return which camera noise an image set is given; pixels lose none that would be missing."""
    run = run_of(study, images)
    return (
        "none" if run is not None and run.in_pixels else study.configuration.sampling.camera_noise
    )


def real_features_stage() -> FeaturesStage:
    """Return the settings of extracting features of real tiles, which follow no prompt."""
    return FeaturesStage()


def sample_features_stage(study: Study, extractor: str, model: str, folder: str) -> FeaturesStage:
    """Return the settings of extracting features of synthetic images.

    Only extractors that read text are told the prompt, of models that were asked by one. Without
    the identifier, a word that none of them knows, it is the same for a tuned model and its base.
    """
    image_set = study.image_sets[model, folder]
    run = run_of(study, image_set)
    if study.extractors[extractor].family != "clip" or (run is not None and run.from_scratch):
        return FeaturesStage()
    concept = study.configuration.concepts[image_set.concept]
    template = image_set.prompt.template
    return FeaturesStage(prompt=template_to_prompt(template, concept.modality, concept.noun))


def metrics_stage(study: Study, run: str) -> MetricsStage:
    """Return the settings of one run's metrics."""
    return MetricsStage(
        run=run,
        concepts=evaluated_concepts(study, run),
        evaluation=study.configuration.evaluation.model_copy(
            update={"extractors": tuple(study.extractors)}
        ),
        headline=headline_extractor(study.extractors),
    )


def diversity_stage(study: Study, run: str) -> DiversityStage:
    """Return the settings of one run's diversity by LPIPS."""
    return DiversityStage(
        run=run,
        concepts=evaluated_concepts(study, run),
        confidence=study.configuration.evaluation.confidence,
    )


def release_stage(study: Study, run: str) -> ReleaseStage:
    """Return the settings of one run's release."""
    concepts = tuple(one.concept for one in study.runs[run].concepts)
    return ReleaseStage(run=run, concepts=concepts, release=study.configuration.release)


def report_stage(study: Study, run: str) -> ReportStage:
    """Return the settings of one run's page."""
    return ReportStage(
        run=run,
        report=study.configuration.report,
        concepts=evaluated_concepts(study, run),
        confidence=study.configuration.evaluation.confidence,
    )


def study_stage(study: Study) -> StudyReportStage:
    """Return the settings of the page over all runs."""
    return StudyReportStage(report=study.configuration.report, runs=tuple(study.runs))


def survey_stage(study: Study, run: str, concept: str) -> SurveyStage:
    """Return the settings of one run's survey of one concept."""
    return SurveyStage(run=run, concept=concept, survey=study.configuration.survey)


def labels_stage(study: Study, run: str) -> LabelsStage:
    """Return the settings of one run's labels."""
    return LabelsStage(
        run=run,
        concepts=tuple(
            LabelledConcept(concept=one.concept, dataset=one.dataset, noun=one.noun)
            for one in study.runs[run].concepts
        ),
        segmenter=study.configuration.evaluation.segmenter,
        labels=study.configuration.labels,
    )


def detectors_stage(study: Study, run: str, concept: str) -> DetectorsStage:
    """Return the settings of training detectors of one run's concept."""
    settings = study.configuration.downstream
    shaping = {key: getattr(settings, key) for key in DetectorSettings.model_fields}
    return DetectorsStage(
        run=run,
        concept=concept,
        modality=study.configuration.concepts[concept].modality,
        detectors=DetectorSettings(**shaping),
    )


def downstream_stage(study: Study, run: str, concept: str) -> DownstreamStage:
    """Return the settings of comparing the detectors of one run's concept."""
    return DownstreamStage(
        run=run,
        concept=concept,
        threshold=study.configuration.downstream.threshold,
        confidence=study.configuration.evaluation.confidence,
    )


def evaluated_concepts(study: Study, run: str) -> tuple[EvaluatedConcept, ...]:
    """Return a run's concepts as the evaluation wants them."""
    return tuple(
        EvaluatedConcept(concept=one.concept, dataset=one.dataset, modality=one.modality)
        for one in study.runs[run].concepts
    )


def shard_count(count: int, images_per_shard: int) -> int:
    """Return the number of shards that hold `count` images."""
    return -(-count // images_per_shard)


def shard_to_span(shard: int, count: int, images_per_shard: int) -> tuple[int, int]:
    """Return a shard's first global index and its number of images.

    Examples
    --------
    >>> shard_to_span(1, 6, 4)
    (4, 2)
    """
    first = shard * images_per_shard
    return first, min(images_per_shard, count - first)
