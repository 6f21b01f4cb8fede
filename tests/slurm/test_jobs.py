"""What jobs are sent to a cluster, and with what."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from pipeline_lib.evaluation.image_sets import read_manifests
from tests.slurm.cluster import Cluster
from tests.slurm.workspace import SlurmWorkspace, ended, model_sha256, wait_until
from tests.workflow.workspace import write_raw

pytestmark = pytest.mark.slurm
FILES = 20
# Runs a job without any network; written down: who, the GPU, and whether downloads are off.
OFFLINE = (
    'echo "$(basename "$1" .py) ${CUDA_VISIBLE_DEVICES:--} ${HF_HUB_OFFLINE:--}" >> ran.txt\n'
    'exec unshare --net "$PYTHON" "$@"'
)
FAILS_ONCE = (
    'case "$*" in *shard-0001.zip*) if [ ! -e failed ]; then touch failed; exit 1; fi ;; esac\n'
    'exec "$PYTHON" "$@"'
)


def without_network() -> bool:
    """Say whether this user may take the network from a process."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


def test_images_of_one_concept_are_one_job_of_bounded_memory(raw: SlurmWorkspace) -> None:
    for number in range(FILES - 3):
        write_raw(raw.folder / f"raw/round-more-{number}.tif", 100 + number)
    with (raw.folder / "samples.tsv").open("a") as sheet:
        sheet.write("round\tround-more-*.tif\ttrain\n")
    ended(raw.start("results/trial/datasets/round/contact_sheet.png"))
    jobs = raw.cluster.jobs_of(raw.folder)
    assert [job["Rule"] for job in jobs] == ["group_images_ingest_quality_split_tiles"]
    assert jobs[0]["MinMemoryNode"] == "16000M"
    assert jobs[0]["NumCPUs"] == "8"
    # 20 files, eight at a time: three times 2 minutes, and three steps of 30.
    assert jobs[0]["TimeLimit"] == "01:36:00"
    assert len(list(raw.path("fields/round").glob("round-*.tif"))) == FILES


@pytest.mark.skipif(not without_network(), reason="taking the network away needs the right to")
def test_two_trainings_have_a_gpu_each_and_need_no_network(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    workspace.wrap_python(OFFLINE)
    runs = ("first", "second")
    ended(workspace.start(*(f"results/trial/runs/{run}/model" for run in runs)))
    first, second = workspace.jobs_of("finetune")
    begun = max(datetime.fromisoformat(job["StartTime"]) for job in (first, second))
    assert begun < min(datetime.fromisoformat(job["EndTime"]) for job in (first, second))
    ran = sorted((workspace.folder / "ran.txt").read_text().splitlines())
    assert ran == ["finetune 0 1", "finetune 1 1"]
    for run in runs:
        assert model_sha256(workspace.path(f"runs/{run}/model")) == unbroken[run]


@pytest.mark.skipif(not without_network(), reason="taking the network away needs the right to")
def test_fetch_may_use_the_network_and_jobs_do_not(raw: SlurmWorkspace) -> None:
    raw.wrap_python(OFFLINE)
    ended(raw.start("results/trial/latents/toy/round.safetensors"))
    ran = (raw.folder / "ran.txt").read_text().splitlines()
    assert "fetch - -" in ran
    assert {line for line in ran if not line.startswith("fetch")} == {
        *("ingest - 1", "quality - 1", "split - 1", "tiles - 1", "latents 0 1")
    }


def test_a_shard_that_fails_is_made_again_alone(workspace: SlurmWorkspace) -> None:
    workspace.wrap_python(FAILS_ONCE)
    folder = "samples/base-toy/round-subject"
    shards = [f"results/trial/{folder}/shard-{number:04d}.zip" for number in range(2)]
    ended(workspace.start(*shards))
    states = sorted(job["JobState"] for job in workspace.jobs_of("sample"))
    assert states == ["COMPLETED", "COMPLETED", "FAILED"]
    made = read_manifests([workspace.folder / shard for shard in shards])
    assert made["index"].tolist() == list(range(8))


def test_the_cluster_leaves_nothing_behind(installed: None, tmp_path: Path) -> None:
    folder = tmp_path / "slurm"
    folder.mkdir()
    with Cluster(folder) as cluster:
        cluster.ask("sbatch", "--output", "/dev/null", "--wrap", "sleep 300.125")
        wait_until(lambda: "sleep 300.125" in running())
    assert "sleep 300.125" not in running()
    assert str(folder) not in running()


def running() -> str:
    """Return the commands of all processes."""
    return subprocess.check_output(["ps", "axww", "-o", "args"], text=True)
