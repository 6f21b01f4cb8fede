"""Lookups of the rules of upscalers."""


def upscaler_argument():
    """Return the upscaler's folder for a shell command, one of the workflow's own by a variable."""
    model = CONFIGURATION.superresolution.model or ""
    own = "" if Path(model).is_absolute() else '"$BRIGHTBOOTH"/'
    return own + shlex.quote(model)


def upscaler_sha256(wildcards):
    """Return the upscaler's content."""
    return HASHES.folder(upscaler_folder())


def tuned_upscaler(dataset, way):
    """Return the folder of a tuned upscaler."""
    return results(f"upscalers/{dataset}/{way}/model")


def upscaler_of_images(wildcards):
    """Return the upscaler that an image set is enlarged by: of its dataset, or of a finer one."""
    dataset = STUDY.image_sets[wildcards.model, wildcards.prompt].dataset
    return tuned_upscaler(dataset_to_upscaled(CONFIGURATION, dataset), LESS)


def enlarged_files():
    """Return the tables of upscalers and the enlarged shards; none where there is no upscaler."""
    tables = [results(f"superresolution/{name}/table.csv") for name in upscaled_datasets(STUDY)]
    shards = [
        path
        for one in enlarged_sets(STUDY)
        for path in sample_shards(one.model, one.folder, "upsampled")
    ]
    return tables + shards


def all_enlarged(wildcards):
    """Return the same; input of a target, so that only asking for it refuses."""
    if not upscaled_datasets(STUDY):
        raise WorkflowError(
            "no upscaler to tune: name its folder in `superresolution: model` of the configuration"
        )
    return enlarged_files()
