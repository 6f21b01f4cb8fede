"""What the trainings of `separate_processes` import, so that their server has it ready."""

import peft  # noqa: F401
import transformers.models.clip.modeling_clip  # noqa: F401

import pipeline_lib.dreambooth.export
import pipeline_lib.from_scratch.export
import pipeline_lib.training.loop  # noqa: F401
