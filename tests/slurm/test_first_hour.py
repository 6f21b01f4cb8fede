"""The lines of docs/cluster.md lead from a clone to a report, by jobs with what each needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.workflow.test_deployment import publish
from tests.workflow.workspace import ROOT, environment

pytestmark = pytest.mark.slurm
INSTALL, LINK = "make install", "make slurm-profile"
VIRTUAL = Path(sys.executable).parent.parent
# What each rule's job is given: cores, MB, GPUs, minutes.
GIVEN = {
    "group_images_ingest_quality_split_tiles": (8, 2000, 0, 92),
    "identifier": (8, 16000, 1, 30),
    "prior": (8, 16000, 1, 120),
    "latents": (8, 16000, 1, 30),
    "camera": (1, 4000, 0, 30),
    "finetune": (8, 48000, 1, 480),
    "sample": (8, 16000, 1, 240),
    "features_of_tiles": (8, 8000, 1, 30),
    "features_of_roundtrip": (8, 8000, 1, 30),
    "features_of_samples": (8, 8000, 1, 120),
    "metrics": (8, 16000, 0, 120),
    "release": (1, 4000, 0, 60),
    "report": (1, 8000, 0, 30),
    "study": (1, 2000, 0, 10),
}


def documented_commands() -> list[str]:
    """Return the lines of the first hour."""
    text = (ROOT / "docs/cluster.md").read_text()
    section = text.split("## The first hour")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def first_hour(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the document in an empty home, and return the folder that Snakemake worked in."""
    home = tmp_path_factory.mktemp("home")
    publish(home / "published")
    # The packages that are installed already stand for those of `make install`.
    linked = f"ln -s {VIRTUAL} .venv && touch --no-dereference .venv"
    # What step 2 says to correct: here SLURM need not be spared.
    often = "sed -i 's/status-checks: 20/status-checks: 2/' profiles/slurm/config.yaml"
    replaced = {INSTALL: linked, LINK: f"{LINK}; {often}"}
    lines = [replaced.get(line, line) for line in documented_commands()]
    variables = cluster.environment(environment()) | {
        "HOME": str(home),
        "REPOSITORY": str(home / "published"),
        "OMP_WAIT_POLICY": "PASSIVE",  # jobs of eight threads share what cores there are
    }
    del variables["HF_HUB_OFFLINE"]
    variables.pop("XDG_CONFIG_HOME", None)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=home,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Report: " in done.stdout
    return home / "brightbooth/.test"


def test_the_document_installs() -> None:
    assert {INSTALL, LINK} <= set(documented_commands())


def test_it_ends_in_a_report(first_hour: Path) -> None:
    page = first_hour / "results/test/report/monolayer/index.html"
    assert page.stat().st_size > 100_000


def test_the_jobs_record_says_what_each_was_given(first_hour: Path, cluster: Cluster) -> None:
    jobs = cluster.jobs_of(first_hour)
    assert {job["Rule"] for job in jobs} == set(GIVEN)
    found = {job["Rule"]: record_to_resources(job) for job in jobs}
    assert found == GIVEN


def test_jobs_of_gpus_are_in_their_partition(first_hour: Path, cluster: Cluster) -> None:
    for job in cluster.jobs_of(first_hour):
        assert job["Partition"] == ("gpu" if GIVEN[job["Rule"]][2] else "cpu")


def test_logs_are_where_the_document_says(first_hour: Path, cluster: Cluster) -> None:
    for job in cluster.jobs_of(first_hour):
        log = Path(job["StdOut"])
        assert log.name == f"{job['JobId']}.log"
        assert log.stat().st_size > 0
    own = first_hour / "logs/test"
    assert (own / "finetune/monolayer.log").stat().st_size > 0
    assert len(list((own / "ingest/monolayer").glob("*.log"))) == 1


def record_to_resources(job: dict[str, str]) -> tuple[int, int, int, int]:
    """Return cores, MB, GPUs and minutes of a job's record."""
    days, _, clock = job["TimeLimit"].rpartition("-")
    hours, minutes, _ = (int(part) for part in clock.split(":"))
    gpus = re.search(r"gpu(?::\w+)?:(\d+)", job.get("TresPerJob", ""))
    return (
        int(job["NumCPUs"]),
        megabytes(job["MinMemoryNode"]),
        int(gpus.group(1)) if gpus else 0,
        (int(days or 0) * 24 + hours) * 60 + minutes,
    )


def megabytes(text: str) -> int:
    """Return SLURM's memory in MB."""
    return int(float(text[:-1]) * 1000) if text.endswith("G") else int(text.removesuffix("M"))
