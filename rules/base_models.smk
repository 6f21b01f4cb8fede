"""Base models, identifiers and class-prior images: all before the lab's images come in."""


localrules:
    fetch,


rule fetch:
    output:
        model=results("base_models/{base}.json"),
    log:
        log_file("fetch/{base}"),
    conda:
        "../envs/diffusion.yaml"
    resources:
        prompts=prompts_file,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.fetch_stage(STUDY, wildcards.base)),
        content=lambda wildcards: entry_content(STUDY.bases[wildcards.base]),
        version=RESULT_VERSION["fetch"],
    shell:
        command(
            "fetch",
            root='"$BRIGHTBOOTH"',
            prompts="{resources.prompts:q}",
            downloads="work/base_models",
        )


rule identifier:
    input:
        model=results("base_models/{base}.json"),
    output:
        identifiers=results("identifiers/{base}/{ranking}.json"),
    log:
        log_file("identifier/{base}/{ranking}"),
    priority: NEXT
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=30,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.identifier_stage(STUDY, wildcards.base, wildcards.ranking)
        ),
        version=RESULT_VERSION["identifier"],
    shell:
        command("identifier")


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
    log:
        log_file("prior/{base}/{prior}-{shard}"),
    wildcard_constraints:
        prior=named_priors(real=False),
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=120,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.priors[wildcards.prior].batch_size, attempt
        ),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.prior_stage(STUDY, wildcards.prior, int(wildcards.shard))
        ),
        version=RESULT_VERSION["prior"],
    shell:
        command("prior", batch_size="{resources.batch_size}")


rule prior_images:
    input:
        model=results("base_models/{base}.json"),
        files=ancient(lambda wildcards: prior_files(wildcards.prior)),
    output:
        images=results("prior/{base}/{prior}/shard-{shard}.tif"),
        latents=results("prior/{base}/{prior}/shard-{shard}.safetensors"),
        contact_sheet=report(
            results("prior/{base}/{prior}/shard-{shard}.png"),
            category="Class images",
            labels={"base": "{base}", "prior": "{prior}", "shard": "{shard}"},
        ),
    log:
        log_file("prior_images/{base}/{prior}-{shard}"),
    wildcard_constraints:
        prior=named_priors(real=True),
        shard="0000",
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=30,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.latents.batch_size, attempt
        ),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.prior_images_stage(STUDY, wildcards.prior)),
        sha256=lambda wildcards: [image_sha256(path) for path in prior_files(wildcards.prior)],
        version=RESULT_VERSION["prior_images"],
    shell:
        command("prior_images", batch_size="{resources.batch_size}")
