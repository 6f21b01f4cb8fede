"""The whole of config.yaml."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.concepts import Concept
from pipeline_lib.settings.contexts import ContextsSettings
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.decoder import DecoderSettings
from pipeline_lib.settings.detection import DownstreamSettings
from pipeline_lib.settings.evaluation import EvaluationSettings
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.settings.labels import LabelsSettings
from pipeline_lib.settings.latents import LatentsSettings
from pipeline_lib.settings.named_priors import NamedPrior
from pipeline_lib.settings.planning import PlanningSettings
from pipeline_lib.settings.quality import QualitySettings
from pipeline_lib.settings.release import ReleaseSettings
from pipeline_lib.settings.report import ReportSettings
from pipeline_lib.settings.sampling import SamplingSettings
from pipeline_lib.settings.superresolution import SuperresolutionSettings
from pipeline_lib.settings.survey import SurveySettings
from pipeline_lib.settings.sweep import SweepSettings
from pipeline_lib.settings.templates import TRAINING_WORDS, checked_template
from pipeline_lib.settings.training import TrainingSettings


class Configuration(Settings):
    """config.yaml."""

    project: Slug = Field(..., description="Name of the folder under results/.")
    samples: str = Field("config/samples.tsv", description="Sheet of what was imaged.")
    runs: str = Field("config/runs.tsv", description="Sheet of the models to train.")
    base_models: str = Field("config/base_models.yaml", description="Registry of base models.")
    extractors: str = Field("config/extractors.yaml", description="Registry of feature extractors.")
    data_folder: str = Field(
        "",
        description="Folder that the paths of samples.tsv are relative to; empty means the working "
        "directory; `package:NAME/FOLDER` is a folder inside an installed Python package.",
    )
    concepts: dict[Slug, Concept] = Field(..., min_length=1, description="Concepts by name.")
    quality: QualitySettings = Field(QualitySettings(), description="Quality check.")
    datasets: dict[Slug, Dataset] = Field(..., min_length=1, description="Datasets by name.")
    priors: dict[Slug, NamedPrior] = Field({}, description="Sets of class images by name.")
    identifier_candidates: int = Field(
        24, gt=0, description="Candidate identifier tokens to measure."
    )
    latents: LatentsSettings = Field(LatentsSettings(), description="How tiles are encoded.")
    decoder: DecoderSettings = Field(DecoderSettings(), description="How decoders are tuned.")
    training: TrainingSettings = Field(TrainingSettings(), description="Defaults of all runs.")
    from_scratch: ScratchSettings = Field(
        ScratchSettings(), description="Defaults of runs whose method is `from_scratch`."
    )
    training_prompt: str = Field(
        "a {modality} microscopy image of {subject}",
        description="Prompt of the training images, with {subject} and, if wanted, {modality} and "
        "{caption}, a tile's own words from samples.tsv; without words it goes with the comma "
        "before it.",
    )
    sampling: SamplingSettings = Field(
        SamplingSettings(), description="How many synthetic images are made, and how."
    )
    sweep: SweepSettings = Field(
        SweepSettings(),
        description="Ways of sampling that are compared; the chart stands on the run's page.",
    )
    contexts: ContextsSettings = Field(
        ContextsSettings(), description="What the target `contexts` draws to compare prompts."
    )
    evaluation: EvaluationSettings = Field(EvaluationSettings(), description="Evaluation.")
    release: ReleaseSettings = Field(ReleaseSettings(), description="Release.")
    labels: LabelsSettings = Field(
        LabelsSettings(), description="What the target `labels` gives out for detectors."
    )
    downstream: DownstreamSettings = Field(
        DownstreamSettings(),
        description="Detectors that the target `downstream` trains on real and synthetic images.",
    )
    superresolution: SuperresolutionSettings = Field(
        SuperresolutionSettings(),
        description="Upscalers that are tuned to each dataset, and enlarge the runs' images.",
    )
    report: ReportSettings = Field(ReportSettings(), description="Report.")
    survey: SurveySettings = Field(SurveySettings(), description="Blind survey.")
    planning: PlanningSettings = Field(
        PlanningSettings(), description="What the target `plan` reckons from."
    )

    @field_validator("training_prompt")
    @classmethod
    def _names_the_subject(cls, template: str) -> str:
        return checked_template(template, TRAINING_WORDS)
