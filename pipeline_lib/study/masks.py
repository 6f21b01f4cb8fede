"""Known objects of real fields: where the sheet says they are, and whether tests can be made."""

from __future__ import annotations

from pathlib import Path, PurePath

from pipeline_lib.imaging.splitting import HOLDOUT, TRAIN, regions_to_roles
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.masks import MaskedSource, MasksStage
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.study.parts import KnownMasks, Study

CHANNEL = "channel:"
NAMED = 4
PLANE_AXES = "TRYX"  # of a label image in a file of its own


def cell_to_masks(
    cell: str | None, folder: Path, relative: str, reading: ReadingSettings, where: str
) -> KnownMasks | None:
    """Return where the known objects of a raw file stand, None where the sheet names none.

    Parameters
    ----------
    cell : str or None
        The cell `masks` of the sheet.
    folder : Path
        Data folder.
    relative : str
        The raw file in it.
    reading : ReadingSettings
        How the raw file is read.
    where : str
        Sheet and row, for messages.

    Raises
    ------
    UserError
        If there is no such file, or its planes cannot be those of the field.
    """
    if cell is None:
        return None
    if cell.startswith(CHANNEL):
        _refuse_reduced(reading, where)
        channel = cell.removeprefix(CHANNEL)
        return KnownMasks(folder / relative, reading.model_copy(update={"channel": channel}))
    named = PurePath(relative)
    path = folder / cell.replace("{name}", named.name).replace("{stem}", named.stem)
    if not path.is_file():
        raise UserError(
            f"{where}: masks: there is no file {path}; correct the cell or `data_folder` in the "
            "configuration, or leave the cell empty"
        )
    axes = reading.axes and "".join(one for one in reading.axes.upper() if one in PLANE_AXES)
    kept = {"axes": axes or None, "t": reading.t, "position": reading.position}
    return KnownMasks(path, ReadingSettings(**kept, pixel_size_um=reading.pixel_size_um))


def _refuse_reduced(reading: ReadingSettings, where: str) -> None:
    """Refuse labels of a focal plane that is made of several."""
    word = str(reading.z)
    if word not in ("only", "middle") and not word.lstrip("-").isdecimal():
        raise UserError(
            f"{where}: masks: labels cannot be reduced over focal planes as `z: {word}` asks; name "
            "a label image of its own, or take one plane"
        )


def masks_stage(study: Study, dataset: str) -> MasksStage:
    """Return the settings of cutting a dataset's known masks as its tiles are cut."""
    settings = study.configuration.datasets[dataset]
    known = known_masks(study, settings.concept)
    sources = tuple(MaskedSource(source=name, reading=one.reading) for name, one in known.items())
    return MasksStage(tiles=settings.tiles, sources=sources)


def known_masks(study: Study, concept: str) -> dict[str, KnownMasks]:
    """Return the known masks of a concept by source, in the order of the sheet."""
    sources = study.sources[concept]
    return {name: one.masks for name, one in sources.items() if one.masks is not None}


def concepts_of_detectors(study: Study) -> list[tuple[str, str]]:
    """Return run and concept of the detectors that can be tested: where known masks are.

    Parameters
    ----------
    study : Study
        The checked study.

    Returns
    -------
    list of tuple
        Concepts without any known masks are left out.

    Raises
    ------
    UserError
        If there is none, or some held-out files of a concept lack masks; these are named.
    """
    found = [
        (run.name, one.concept)
        for run in study.runs.values()
        for one in run.concepts
        if _is_tested(study, one)
    ]
    if not found:
        raise UserError(
            "downstream: detectors are tested on held-out images with known masks, and no image "
            f"has any; name them in the column `masks` of {study.configuration.samples}"
        )
    return found


def trains_on_known(study: Study, run: str, concept: str) -> bool:
    """Say whether some file that a run trains a concept on has known masks."""
    known = known_masks(study, concept)
    trained = study.runs[run].trained(concept)
    return any(name in known for name in _sources_of(study, trained, TRAIN))


def _sources_of(study: Study, trained: TrainedConcept, role: str) -> list[str]:
    """Return the sources of a concept that have a role, each once."""
    regions = study.regions[trained.concept]
    roles = regions_to_roles(regions, study.configuration.datasets[trained.dataset].split)
    found = (one.source for one, own in zip(regions, roles, strict=True) if own == role)
    return [*dict.fromkeys(found)]


def _is_tested(study: Study, trained: TrainedConcept) -> bool:
    """Say whether all held-out files of a concept have known masks; refuse where some lack them."""
    known = known_masks(study, trained.concept)
    if not known:
        return False
    sources = study.sources[trained.concept]
    tested = _sources_of(study, trained, HOLDOUT)
    lacking = [sources[name].path.name for name in tested if name not in known]
    if lacking:
        raise UserError(
            f"downstream: detectors are tested on held-out images with known masks, and "
            f"{_names(lacking)} of concept `{trained.concept}`, held out, have none; name them in "
            f"the column `masks` of {study.configuration.samples}, or give the files the role "
            "`train`"
        )
    return True


def _names(files: list[str]) -> str:
    """Return the names of files, the first ones of many."""
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return ", ".join(files[:NAMED]) + more
