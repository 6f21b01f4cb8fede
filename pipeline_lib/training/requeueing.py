"""A job that saved its state asks SLURM for its next slice of time.

To Snakemake a job that ends without its outputs has failed: it is tried again as often as `retries`
says, and with more memory. A training of many slices would use that up. SLURM's own way back into
the queue keeps the job's number, of which Snakemake sees no more than that it waits and runs.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping

JOB = "SLURM_JOB_ID"
MAY_ASK = "BRIGHTBOOTH_MAY_REQUEUE"  # set by the workflow in jobs that it sent to a cluster
SECONDS = 60


def requeue_own_job(variables: Mapping[str, str]) -> bool:
    """Put the SLURM job that this process belongs to back into the queue.

    Parameters
    ----------
    variables : mapping
        Of the environment. Nothing is done without a job's number and the workflow's leave: a whole
        workflow inside one job, or a program called by hand there, would begin anew with it.

    Returns
    -------
    bool
        Whether it goes back. A job that was cancelled does not.
    """
    job = variables.get(JOB)
    if not job or variables.get(MAY_ASK) != "1":
        return False
    try:
        if job_to_state(job) != "RUNNING":
            return False
        _ask_slurm("requeue", job)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        logging.warning(
            "SLURM did not put job %s back into the queue: %s. It ends as failed, and goes on when "
            "Snakemake tries it again (`retries` in the profile; `slurm-requeue: true` there lets "
            "jobs be put back).",
            *(job, said),
        )
        return False
    logging.info("job %s goes back into the queue, and then on from here", job)
    return True


def job_to_state(job: str) -> str:
    """Return the state of a SLURM job, such as RUNNING, CANCELLED or TIMEOUT."""
    said = _ask_slurm("--oneliner", "show", "job", job)
    named = dict(part.split("=", 1) for part in said.split() if "=" in part)
    return named.get("JobState", "")


def _ask_slurm(*arguments: str) -> str:
    """Return what scontrol says."""
    return subprocess.run(
        ["scontrol", *arguments], capture_output=True, text=True, check=True, timeout=SECONDS
    ).stdout
