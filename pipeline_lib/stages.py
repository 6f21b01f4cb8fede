"""What each stage is told: from the study to the settings of one job."""

from __future__ import annotations

from pipeline_lib.settings import (
    CameraStage,
    EvaluatedConcept,
    FeaturesStage,
    FetchExtractorStage,
    FetchStage,
    FinetuneStage,
    IdentifierStage,
    IngestStage,
    LatentsStage,
    MetricsStage,
    PriorStage,
    QualityStage,
    ReleaseStage,
    ReportStage,
    SampleStage,
    SplitStage,
    StudyReportStage,
    SurveyStage,
    TilesStage,
    template_to_prompt,
)
from pipeline_lib.study import Study, headline_extractor


def ingest_stage(study: Study, concept: str, source: str) -> IngestStage:
    """Return the settings of reading one raw file."""
    return IngestStage(source=source, reading=study.sources[concept][source].reading)


def quality_stage(study: Study, concept: str) -> QualityStage:
    """Return the settings of a concept's quality check."""
    accepted = tuple(one.name for one in study.sources[concept].values() if one.accepted)
    return QualityStage(thresholds=study.configuration.quality, accepted=accepted)


def split_stage(study: Study, dataset: str) -> SplitStage:
    """Return the settings of a dataset's split."""
    settings = study.configuration.datasets[dataset]
    return SplitStage(
        regions=study.regions[settings.concept],
        split=settings.split,
        intensity=settings.intensity,
        training_planes=settings.training_planes,
    )


def tiles_stage(study: Study, dataset: str) -> TilesStage:
    """Return the settings of a dataset's tiles."""
    return TilesStage(tiles=study.configuration.datasets[dataset].tiles)


def fetch_stage(study: Study, base: str) -> FetchStage:
    """Return the settings of fetching a base model."""
    return FetchStage(name=base, entry=study.bases[base])


def fetch_extractor_stage(study: Study, extractor: str) -> FetchExtractorStage:
    """Return the settings of fetching a feature extractor."""
    return FetchExtractorStage(name=extractor, entry=study.extractors[extractor])


def identifier_stage(study: Study, base: str) -> IdentifierStage:
    """Return the settings of the search for identifiers, with the noun of the base's first run."""
    first = next(run for run in study.runs.values() if run.base == base)
    return IdentifierStage(
        candidates=study.configuration.identifier_candidates,
        template=study.configuration.training_prompt,
        noun=first.concepts[0].noun,
        modality=first.concepts[0].modality,
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


def latents_stage(study: Study, dataset: str) -> LatentsStage:
    """Return the settings of a dataset's latent cache."""
    concept = study.configuration.datasets[dataset].concept
    return LatentsStage(modality=study.configuration.concepts[concept].modality)


def camera_stage(dataset: str) -> CameraStage:
    """Return the settings of measuring a dataset's camera noise."""
    return CameraStage(dataset=dataset)


def finetune_stage(study: Study, run: str) -> FinetuneStage:
    """Return the settings of one run's training."""
    settings = study.runs[run]
    return FinetuneStage(
        run=run, base=settings.base, concepts=settings.concepts, training=settings.training
    )


def sample_stage(study: Study, model: str, folder: str, shard: int) -> SampleStage:
    """Return the settings of one shard of synthetic images."""
    image_set = study.image_sets[model, folder]
    concept = study.configuration.concepts[image_set.concept]
    sampling = study.configuration.sampling
    first, count = shard_to_span(shard, image_set.count, sampling.images_per_shard)
    return SampleStage(
        prompt_name=folder,
        concept=image_set.concept,
        noun=concept.noun,
        modality=concept.modality,
        template=image_set.prompt.template,
        identifier=image_set.identifier,
        size=image_set.size,
        sampler=sampling.sampler,
        camera_noise=sampling.camera_noise,
        first=first,
        count=count,
    )


def real_features_stage() -> FeaturesStage:
    """Return the settings of extracting features of real tiles, which follow no prompt."""
    return FeaturesStage()


def sample_features_stage(study: Study, extractor: str, model: str, folder: str) -> FeaturesStage:
    """Return the settings of extracting features of synthetic images.

    Only extractors that read text are told the prompt. Without the identifier, a word that none of
    them knows, it is the same for a tuned model and its base.
    """
    if study.extractors[extractor].family != "clip":
        return FeaturesStage()
    image_set = study.image_sets[model, folder]
    concept = study.configuration.concepts[image_set.concept]
    template = image_set.prompt.template
    return FeaturesStage(prompt=template_to_prompt(template, concept.modality, concept.noun))


def metrics_stage(study: Study, run: str) -> MetricsStage:
    """Return the settings of one run's metrics."""
    return MetricsStage(
        run=run,
        concepts=evaluated_concepts(study, run),
        evaluation=study.configuration.evaluation,
        headline=headline_extractor(study.extractors),
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
