"""Synthetic images, in shards."""


def sample_settings(wildcards):
    one = STUDY.image_sets[wildcards.model, wildcards.prompt]
    concept = CONFIGURATION.concepts[one.concept]
    per_shard = CONFIGURATION.sampling.images_per_shard
    first = int(wildcards.shard) * per_shard
    return as_json(
        stages.SampleStage(
            prompt_name=one.folder,
            concept=one.concept,
            noun=concept.noun,
            modality=concept.modality,
            template=one.prompt.template,
            size=one.size,
            sampler=CONFIGURATION.sampling.sampler,
            first=first,
            count=min(per_shard, one.count - first),
        )
    )


def sampled_model(wildcards):
    """Return a run's trained folder, or the description of an untuned base model."""
    one = STUDY.image_sets[wildcards.model, wildcards.prompt]
    return base_file(one.base) if one.run is None else results(f"runs/{one.run}/model")


rule sample:
    input:
        model=sampled_model,
    output:
        shard=directory(results("samples/{model}/{prompt}/shard-{shard}")),
    params:
        settings=sample_settings,
        model=lambda wildcards, input: (
            input.model if input.model.endswith(".json") else f"{input.model}/brightbooth.json"
        ),
        version=RESULT_VERSION["sample"],
    log:
        log_file("sample/{model}/{prompt}-{shard}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
    shell:
        "exec python {SCRIPTS}/sample.py --settings {params.settings:q} --model {params.model:q}"
        " --shard {output.shard:q} --log {log:q}"
