"""What each part of the fine-tuning is worth: the demo's images, one part changed at a time.

Prior on or off, class noun right, meaningless or wrong, one, three or ten images, text encoder
frozen or trained, too many steps: rows of one runs.tsv that Snakemake works off and goes on with
where it was cut. A table; there is no bar, since what comes out is the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import yaml
from running import ROOT, run_workflow

from pipeline_lib.evaluation.dreambooth_scores import embeddings_to_diversity
from pipeline_lib.evaluation.image_sets import read_features
from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance

DEMO = ROOT / "config" / "examples" / "demo"
WORK = Path("work/benchmark/ablations")
PROJECT = "ablations"
BASE, EXTRACTOR = "brightfield-tiny", "efficientnet-lite0"
RIGHT, MEANINGLESS, WRONG = "adherent cells", "specimen", "beads"
CONCEPTS = {"monolayer": RIGHT, "specimen": MEANINGLESS, "beads": WRONG}
IMAGES = {"monolayer": 10, "monolayer-3": 3, "monolayer-1": 1, "specimen": 10, "beads": 10}
DRAWN = 120  # of the subject, and of the class alone
METRICS = {
    "distance": "kernel_distance",
    "structure": "structure_distance",
    "coverage": "coverage",
    "memorisation": "memorisation_ratio",
    "copies": "copy_share",
}
OF_FEATURES = ("diversity", "class drift")
REFERENCES = {"untuned": "untuned base", "floor": "real training tiles (floor)"}


@dataclass(frozen=True)
class Ablation:
    """One run: what is changed in it, and what it trains on."""

    run: str
    what: str
    dataset: str = "monolayer"
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prior(self) -> str:
        """Return the name of its class images, which its noun decides."""
        return self.dataset.split("-")[0]


def ablations(steps: int, many: int) -> tuple[Ablation, ...]:
    """Return all runs; the first is the one that the others are compared with."""
    return (
        Ablation("all", "everything on, ten images"),
        Ablation("no-prior", "no prior loss", training={"prior_weight": 0}),
        Ablation("noun-none", f"noun that says nothing (`{MEANINGLESS}`)", "specimen"),
        Ablation("noun-wrong", f"wrong noun (`{WRONG}`)", "beads"),
        Ablation("images-3", "three images", "monolayer-3"),
        Ablation("images-1", "one image", "monolayer-1"),
        Ablation("text-frozen", "text encoder frozen", training={"text_encoder_learning_rate": 0}),
        Ablation("long", f"{many} steps in place of {steps}", training={"steps": many}),
        Ablation(
            "long-no-prior", f"{many} steps, no prior", training={"steps": many, "prior_weight": 0}
        ),
    )


def main() -> int:
    """Run everything, and print the table."""
    arguments = parse_arguments()
    wanted = [
        one
        for one in ablations(arguments.steps, arguments.many)
        if not arguments.only or one.run in arguments.only
    ]
    path = write_configuration(WORK, wanted, arguments.steps)
    run_workflow(path, [metrics_file(one) for one in wanted], cores=arguments.cores)
    print("\n".join(rows_to_table([*references(wanted[0]), *map(ablation_to_row, wanted)])))
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--steps", type=int, default=600, help="steps of a training (%(default)s)")
    add("--many", type=int, default=1800, help="steps that are too many (%(default)s)")
    add("--only", nargs="+", default=(), help="names of the runs wanted, without it all")
    add("--cores", type=int, default=2, help="for Snakemake (%(default)s)")
    return parser.parse_args()


# --- the configuration ---------------------------------------------------------------------------


def write_configuration(folder: Path, wanted: Sequence[Ablation], steps: int) -> Path:
    """Write the configuration and its sheets, and return the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, runs = folder / "samples.tsv", folder / "runs.tsv"
    sheet_of_concepts().to_csv(samples, sep="\t", index=False)
    sheet_of_runs(wanted, steps).to_csv(runs, sep="\t", index=False)
    demo = yaml.safe_load((DEMO / "config.yaml").read_text())
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(demo_to_configuration(demo, str(samples), str(runs))))
    return path


def demo_to_configuration(demo: Mapping[str, Any], samples: str, runs: str) -> dict[str, Any]:
    """Return the demo's configuration with the concepts, datasets and priors of the runs."""
    (concept,), (dataset,), (prior,) = (
        demo[key].values() for key in ("concepts", "datasets", "priors")
    )
    prompt = prior["class_prompt"].replace(concept["noun"], "{noun}")
    subject = {**demo["sampling"]["prompts"]["subject"], "count": DRAWN}
    return {
        **demo,
        "project": PROJECT,
        "samples": samples,
        "runs": runs,
        "concepts": {name: {**concept, "noun": noun} for name, noun in CONCEPTS.items()},
        "datasets": {
            name: {**dataset, "concept": name.split("-")[0], "training_planes": count}
            for name, count in IMAGES.items()
        },
        "priors": {
            name: {**prior, "class_prompt": prompt.format(noun=noun)}
            for name, noun in CONCEPTS.items()
        },
        "sampling": {**demo["sampling"], "prompts": {"subject": subject}},
        "evaluation": {"class_prompt_images": DRAWN},
    }


def sheet_of_concepts() -> pandas.DataFrame:
    """Return the demo's sheet of images, once for each noun that they are called by."""
    rows = pandas.read_csv(DEMO / "samples.tsv", sep="\t")
    return pandas.concat([rows.assign(concept=name) for name in CONCEPTS])


def sheet_of_runs(wanted: Sequence[Ablation], steps: int) -> pandas.DataFrame:
    """Return the sheet of runs; those without a prior loss name no class images."""
    rows = []
    for one in wanted:
        training = {"steps": steps, "prior_weight": 1.0, **one.training}
        rows.append(
            {
                "run": one.run,
                "base": BASE,
                "datasets": one.dataset,
                "priors": one.prior if training["prior_weight"] else "",
                "identifiers": "auto",
                **training,
            }
        )
    return pandas.DataFrame(rows)


def metrics_file(one: Ablation) -> Path:
    """Return where a run's metrics lie."""
    return Path("results") / PROJECT / "metrics" / f"{one.run}.csv"


# --- the table -----------------------------------------------------------------------------------


def ablation_to_row(one: Ablation) -> dict[str, Any]:
    """Return the figures of a run: of its page, and of the features of its images."""
    row = {"what": one.what, **metrics_of(one, "tuned")}
    tuned, alone, before = (
        images_to_rows(model, f"{one.dataset}-{prompt}")
        for model, prompt in (
            (one.run, "subject"),
            (one.run, "class"),
            (f"base-{BASE}", "subject"),
        )
    )
    spread = embeddings_to_diversity(tuned, np.zeros(len(tuned)))
    drift = features_to_kernel_distance(before, alone)
    return row | dict(zip(OF_FEATURES, (spread, drift), strict=True))


def references(one: Ablation) -> Iterator[dict[str, Any]]:
    """Yield what stands beside all runs: the untuned base and real tiles."""
    for images, what in REFERENCES.items():
        yield {"what": what, **metrics_of(one, images)}


def metrics_of(one: Ablation, images: str) -> dict[str, float]:
    """Return the figures that stand on the page, of one of its sets of images."""
    metrics = pandas.read_csv(metrics_file(one))
    return {name: metric_of(metrics, metric, images) for name, metric in METRICS.items()}


def images_to_rows(model: str, folder: str) -> np.ndarray:
    """Return the features (N, D) of a model's images."""
    place = Path("results") / PROJECT / "features" / EXTRACTOR / "samples"
    return read_features(place / model / f"{folder}.npz", EXTRACTOR).values


def metric_of(metrics: pandas.DataFrame, metric: str, images: str) -> float:
    """Return one value of a table of metrics, NaN where there is none."""
    rows = metrics[(metrics.metric == metric) & (metrics["set"] == images)]
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


def rows_to_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table in Markdown; what a row does not have stays empty."""
    columns = ["what", *METRICS, *OF_FEATURES]
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    for row in rows:
        values = [row.get(name, float("nan")) for name in columns[1:]]
        cells = ["" if value != value else f"{value:.3f}" for value in values]
        lines.append("| " + " | ".join([str(row["what"]), *cells]) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
