"""Snakemake as the benchmarks run it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_workflow(
    configuration: Path, targets: Sequence[Path], overrules: Sequence[str] = (), cores: int = 2
) -> None:
    """Have Snakemake make some files; it goes on where it was cut.

    Parameters
    ----------
    configuration : Path
        The configuration.
    targets : sequence of Path
        What is wanted.
    overrules : sequence of str
        ``KEY=VALUE`` that overrules the configuration.
    cores : int
        For Snakemake.
    """
    command = [
        *("snakemake", *map(str, targets), "--snakefile", str(ROOT / "Snakefile")),
        *("--configfile", str(configuration), "--profile", str(ROOT / "profiles" / "local")),
        *("--cores", str(cores), "--quiet", "all"),
        *(("--config", *overrules) if overrules else ()),
    ]
    subprocess.run(command, check=True)
