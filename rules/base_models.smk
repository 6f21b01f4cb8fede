"""Base models, identifiers and class-prior images: all before the lab's images come in."""


def fetch_settings(wildcards):
    return as_json(
        stages.FetchStage(name=wildcards.base, entry=STUDY.bases[wildcards.base])
    )


def base_content(wildcards):
    """Return what a change of the base model would change: the content or the pinned revision."""
    entry = STUDY.bases[wildcards.base]
    return entry.revision if entry.path is None else HASHES.folder(WORKFLOW_FOLDER / entry.path)


localrules:
    fetch,


rule fetch:
    output:
        model=results("base_models/{base}.json"),
    params:
        settings=fetch_settings,
        content=base_content,
        version=RESULT_VERSION["fetch"],
    log:
        log_file("fetch/{base}"),
    conda:
        "../envs/diffusion.yaml"
    shell:
        "exec python {SCRIPTS}/fetch.py --settings {params.settings:q}"
        " --root {ROOT} --model {output.model:q} --downloads work/base_models --log {log:q}"


def identifier_settings(wildcards):
    runs = [run for run in STUDY.runs.values() if run.base == wildcards.base]
    return as_json(
        stages.IdentifierStage(
            candidates=CONFIGURATION.identifier_candidates,
            template=CONFIGURATION.training_prompt,
            noun=runs[0].concepts[0].noun,
            size=STUDY.bases[wildcards.base].size,
        )
    )


rule identifier:
    input:
        model=results("base_models/{base}.json"),
    output:
        identifiers=results("identifiers/{base}.json"),
    params:
        settings=identifier_settings,
        version=RESULT_VERSION["identifier"],
    log:
        log_file("identifier/{base}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=30,
        gpu=1,
    shell:
        "exec python {SCRIPTS}/identifier.py --settings {params.settings:q}"
        " --model {input.model:q} --identifiers {output.identifiers:q} --log {log:q}"


def prior_settings(wildcards):
    prior = CONFIGURATION.priors[wildcards.prior]
    first = int(wildcards.shard) * prior.images_per_shard
    count = min(prior.images_per_shard, prior.count - first)
    # The total is taken out, so that a larger one only adds shards.
    fixed = prior.model_copy(update={"count": count})
    return as_json(
        stages.PriorStage(name=wildcards.prior, prior=fixed, first=first, count=count)
    )


rule prior:
    input:
        model=results("base_models/{base}.json"),
    output:
        images=results("prior/{base}/{prior}/shard-{shard}.tif"),
        latents=results("prior/{base}/{prior}/shard-{shard}.safetensors"),
        contact_sheet=report(
            results("prior/{base}/{prior}/shard-{shard}.png"),
            category="Class images",
            labels={"base": "{base}", "prior": "{prior}", "shard": "{shard}"},
        ),
    params:
        settings=prior_settings,
        version=RESULT_VERSION["prior"],
    log:
        log_file("prior/{base}/{prior}-{shard}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=120,
        gpu=1,
    shell:
        "exec python {SCRIPTS}/prior.py --settings {params.settings:q} --model {input.model:q}"
        " --images {output.images:q} --latents {output.latents:q}"
        " --contact-sheet {output.contact_sheet:q} --log {log:q}"
