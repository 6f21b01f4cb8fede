"""What a study will cost, before it runs."""


localrules:
    plan,


rule plan:
    log:
        log_file("plan"),
    conda:
        "../envs/diffusion.yaml"
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            plan_stage(STUDY, base_folder, upscaler_folder, sent_jobs())
        ),
    shell:
        command("plan")
