"""Keys of a training's settings that shape no weight of the trained model."""

from __future__ import annotations

# Of these no weight of the trained model depends; of those that judge, none that is the last.
SHAPE_NO_WEIGHT = frozenset(
    ("checkpoint_every", "preview_every", "preview_count", "wall_minutes", "tensorboard")
)
JUDGING = frozenset(("keep", "judge_every", "judge_count", "judge_by", "preview_guidance"))
