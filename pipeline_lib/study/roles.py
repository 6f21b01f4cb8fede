"""Whether the concepts of runs can be shared out, without leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipeline_lib.imaging.splitting import refuse_missing_roles, regions_to_roles
from pipeline_lib.leaks import Contents, PlacedRegion, refuse_two_sides
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.splitting import SourceRegion
from pipeline_lib.study.parts import Run


def check_used_concepts(
    runs: Mapping[str, Run],
    configuration: Configuration,
    regions: Mapping[str, tuple[SourceRegion, ...]],
) -> None:
    """Refuse concepts that runs need and that have no image to train on or to compare with."""
    for run in runs.values():
        for trained in run.concepts:
            roles = Counter(region.role for region in regions[trained.concept])
            for role in ("train", "holdout"):
                if not roles[role] and not roles["auto"]:
                    raise UserError(
                        f"{configuration.samples}: concept `{trained.concept}` (run `{run.name}`) "
                        f"has no row with role {role} or auto; add files for it"
                    )


def refuse_leaks(
    runs: Mapping[str, Run],
    configuration: Configuration,
    placed: Mapping[str, list[PlacedRegion]],
    contents: Contents,
) -> None:
    """Refuse datasets that cannot be shared out, and runs whose concepts share what is held out."""
    roles: dict[str, tuple[str, ...]] = {}
    for run in runs.values():
        for one in run.concepts:
            if one.dataset not in roles:
                listed = [region.region for region in placed[one.concept]]
                roles[one.dataset] = _dataset_roles(one.dataset, listed, configuration)
        regions = [region for one in run.concepts for region in placed[one.concept]]
        drawn = [role for one in run.concepts for role in roles[one.dataset]]
        refuse_two_sides(run.name, regions, drawn, contents)


def _dataset_roles(
    dataset: str, regions: list[SourceRegion], configuration: Configuration
) -> tuple[str, ...]:
    """Return the roles that a dataset's split will give; refuse what it would refuse."""
    try:
        roles = regions_to_roles(regions, configuration.datasets[dataset].split)
        refuse_missing_roles(roles)
    except UserError as error:
        raise UserError(f"{configuration.samples}: dataset `{dataset}`: {error}") from None
    return roles
