"""A release in Croissant 1.0, the JSON-LD vocabulary of data sets for machine learning.

See https://docs.mlcommons.org/croissant/docs/croissant-spec.html. It is written by hand, for
mlcroissant would bring an RDF library into every installation; the tests read and check it by that.
"""

from __future__ import annotations

from typing import Any

from pipeline_lib.release.facts import Release
from pipeline_lib.release.licences import licence_to_address
from pipeline_lib.release.tables import COLUMNS, FILE_NAME, METADATA

CROISSANT = "croissant.json"
RECORDS, FILES = "images", "image-files"
TERMS = (
    *(
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileObject",
        "fileProperty",
        "fileSet",
        "format",
    ),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
    *(
        "references",
        "regex",
        "repeated",
        "replace",
        "samplingRate",
        "separator",
        "source",
        "subField",
        "transform",
    ),
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in TERMS},
}
LIMITS = (
    "Synthetic images: not evidence of anything about cells and not for diagnosis. They show what "
    "the training images made likely, of their preparations under their microscope."
)


def release_to_croissant(release: Release, metadata_sha256: str) -> dict[str, Any]:
    """Describe a release.

    Parameters
    ----------
    release : Release
        What is known of it.
    metadata_sha256 : str
        Of the bytes of metadata.csv.

    Returns
    -------
    dict
        JSON-able: files, and one record for each image with its columns and its pixels.
    """
    model = release.card["base"], "fine-tuning", "fine-tuned by DreamBooth"
    if release.from_scratch:
        model = "a diffusion model", "training from scratch", "trained from scratch"
    name, training, trained = model
    licence = release.settings.licence
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": release.run,
        "description": f"{len(release.images)} synthetic {' and '.join(release.modalities)} "
        f"microscopy images, drawn by {name} after {training} on {release.file_count} files.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **({"license": licence_to_address(licence)} if licence else {}),
        "keywords": ["synthetic", "microscopy", *release.modalities],
        "isLiveDataset": False,
        "rai:dataLimitations": LIMITS,
        "rai:dataCollection": f"Drawn by the model `{release.card['name']}`: {name}, {trained} "
        "with Brightbooth. provenance.json has settings, versions and hashes.",
        "rai:dataCollectionRawData": "; ".join(
            f"{source.file} (SHA-256 {source.sha256})" for source in release.sources
        ),
        "distribution": _distribution(release, metadata_sha256),
        "recordSet": [_records()],
    }


def _distribution(release: Release, metadata_sha256: str) -> list[dict[str, Any]]:
    """Return the table and the images as files."""
    table = {
        "@type": "cr:FileObject",
        "@id": METADATA,
        "name": METADATA,
        "contentUrl": METADATA,
        "encodingFormat": "text/csv",
        "sha256": metadata_sha256,
    }
    images = {
        "@type": "cr:FileSet",
        "@id": FILES,
        "name": FILES,
        "encodingFormat": release.media_type,
        "includes": release.pattern,
    }
    return [table, images]


def _records() -> dict[str, Any]:
    """Return the records: the files' paths and pixels, joined with the table's columns by path."""
    content = {"fileSet": {"@id": FILES}, "extract": {"fileProperty": "content"}}
    fields = [_path(), _field("image", "sc:ImageObject", "the image", content)]
    fields += [
        _field(name, kind, words, {"fileObject": {"@id": METADATA}, "extract": {"column": name}})
        for name, (words, kind) in COLUMNS.items()
        if name != FILE_NAME
    ]
    key = {"@id": f"{RECORDS}/{FILE_NAME}"}
    return {"@type": "cr:RecordSet", "@id": RECORDS, "name": RECORDS, "key": key, "field": fields}


def _path() -> dict[str, Any]:
    """Return the field by which files and rows of the table are joined."""
    words, kind = COLUMNS[FILE_NAME]
    path = {"fileSet": {"@id": FILES}, "extract": {"fileProperty": "fullpath"}}
    # mlcroissant holds a path that equals no text, until it is told to take all of its letters.
    told = _field(FILE_NAME, kind, words, {**path, "transform": {"regex": "(.+)"}})
    return {
        **told,
        "references": {"fileObject": {"@id": METADATA}, "extract": {"column": FILE_NAME}},
    }


def _field(name: str, kind: str, words: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return one field of the records."""
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{name}",
        "name": name,
        "description": words,
        "dataType": kind,
        "source": source,
    }
