from __future__ import annotations

import re
from pathlib import Path

import torch

from pipeline_lib.frames import read_frame

IMPORTS = """
from pathlib import Path
import torch
from pipeline_lib.randomness import key_of, keys_to_noise
from pipeline_lib.training.course import Course
from pipeline_lib.training.devices import make_accelerator
from pipeline_lib.training.objective import Mends, WeightGroup
from pipeline_lib.training.running import run_training
from pipeline_lib.training.trainer import Trainer
"""


def documented_code() -> str:
    """Return the example of docs/architecture.md."""
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_the_documented_objective_trains_and_goes_on(tmp_path, monkeypatch) -> None:
    code = documented_code()
    assert len(code.splitlines()) < 60
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(20, 1, 1, 1, generator=generator).expand(20, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Conv2d(1, 1, 5, padding=2)
    given = {"network": network, "pictures": pictures[:15], "held_out": pictures[15:]}
    shorter = code.replace("Course(steps=500)", "Course(steps=60, checkpoint_every=20)")
    shorter = shorter.replace("1e-3", "1e-2").replace("torch.bfloat16", "torch.float32")
    exec(IMPORTS + shorter, given)
    errors = read_frame(tmp_path / "work/denoiser/history.csv")["held_out_error"].dropna()
    assert len(errors) == 3
    assert errors.iloc[-1] < 0.7 * errors.iloc[0]
    exec(IMPORTS + shorter, given)
    assert len(read_frame(tmp_path / "work/denoiser/history.csv")) == 60
