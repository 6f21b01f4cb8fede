"""Lookups of the rule of plans."""

from pipeline_lib.settings.planning import PlannedJob
from pipeline_lib.study.plans import plan_stage

HERE = {"fetch", "fetch_extractor", "plan"}  # local rules, which no cluster is asked for


def sent_jobs():
    """Return what the profile asks of a cluster for the jobs of each rule; nothing without one."""
    asked = {one.name: one.resources for one in workflow.rules if one.shellcmd}
    return [
        PlannedJob(
            name=name,
            partition=str(resources["slurm_partition"].raw),
            gpu="gpu" in resources,
            minutes=resources_to_minutes(resources),
        )
        for name, resources in asked.items()
        if "slurm_partition" in resources and name not in HERE
    ]


def resources_to_minutes(resources):
    """Return the time that a rule's jobs ask for, if it is one for all."""
    runtime = resources["runtime"].raw if "runtime" in resources else None
    return runtime if isinstance(runtime, int) else None
