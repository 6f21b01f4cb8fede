"""A run by LoRA is told where its base model is when it samples; others are not."""

from __future__ import annotations

import re
from pathlib import Path

from tests.workflow.workspace import Workspace

RUNS = (
    "run\tbase\tdatasets\tpriors\tidentifiers\tmethod\n"
    "first\ttoy\tround\tclass\tauto\tlora\nsecond\ttoy\tlong\tclass\tauto\t\n"
)


def test_only_adapters_are_sampled_with_their_base_model(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    (workspace.folder / "runs.tsv").write_text(RUNS)
    said = workspace.run("--dry-run", "--printshellcmds")
    commands = re.findall(r"sample\.py .* --model (\S+)(?: --base (\S+))? --camera", said)
    bases = {Path(model).parts[-2]: base for model, base in commands if "runs" in model}
    assert bases == {"first": "results/trial/base_models/toy.json", "second": ""}
    untuned = {base for model, base in commands if "runs" not in model}
    assert untuned == {""}
