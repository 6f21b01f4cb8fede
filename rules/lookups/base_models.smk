"""Lookups of the rules of base models and priors."""


def prompts_file(wildcards):
    """Write what a base model is given to read, and return the file's path.

    It is handed over as a resource: other prompts are no reason to fetch again.
    """
    path = Path("work/prompts") / CONFIGURATION.project / f"{wildcards.base}.json"
    told = study_to_prompts(STUDY, wildcards.base).model_dump_json()
    if not (PLANS_ONLY or (path.exists() and path.read_text() == told)):
        write_text(path, told)
    return str(path)


def named_priors(real):
    """Return a pattern of the names of priors: of real images, or of drawn ones."""
    names = [name for name, prior in CONFIGURATION.priors.items() if bool(prior.images) == real]
    return "|".join(names) or "no-prior"


def prior_files(prior):
    """Return the files of a prior of real images."""
    return [str(path) for path in STUDY.prior_files[prior]]
