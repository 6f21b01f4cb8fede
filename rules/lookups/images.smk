"""Lookups of the rules of images: raw files, blank fields, tables of the quality check."""


def raw_file(concept, source):
    """Return the path of a raw file."""
    return str(STUDY.sources[concept][source].path)


def concept_table(name):
    """Return an input function: a table of the quality check of a dataset's concept."""
    return lambda wildcards: results(f"fields/{dataset_concept(wildcards.dataset)}/{name}.tsv")


def blank_field(wildcards):
    """Return the raw file of an empty field that a dataset's light is divided by, if it has one."""
    path = STUDY.blanks.get(wildcards.dataset)
    return [] if path is None else ancient(str(path))


def blank_sha256(wildcards):
    """Return the content of the blank field, if there is one."""
    path = STUDY.blanks.get(wildcards.dataset)
    return None if path is None else image_sha256(str(path))
