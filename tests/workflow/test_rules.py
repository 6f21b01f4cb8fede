"""Rules and scripts agree: what a rule names is handed over, and what a script takes is named."""

from __future__ import annotations

import re
import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipeline_lib import command_line
from tests.workflow.workspace import ROOT

COMMAND = re.compile(r"command\(\s*\"(\w+)\"(.*?)\)\n", re.DOTALL)
NAMES = re.compile(r"(?m)^        (\w+)=")
OTHERS = re.compile(r"\b(\w+)=")


@dataclass(frozen=True)
class Rule:
    """What a rule says of its files, its script and its resources."""

    name: str
    text: str

    def section(self, name: str) -> str:
        found = re.search(rf"(?m)^    {name}:\n((?:        .*\n)+)", self.text)
        return found.group(1) if found else ""

    @property
    def script(self) -> str:
        return COMMAND.search(self.text).group(1)

    @property
    def options(self) -> set[str]:
        named = NAMES.findall(self.section("input") + self.section("output"))
        others = OTHERS.findall(COMMAND.search(self.text).group(2))
        assert len({*named, *others}) == len(named) + len(others)
        return {*named, *others}


def read_rules() -> list[Rule]:
    """Return all rules with a script; one that derives from another has the rest of its text."""
    rules: dict[str, Rule] = {}
    for path in sorted(ROOT.glob("rules/*.smk")):
        for text in re.split(r"(?m)^(?=rule |use rule )", path.read_text())[1:]:
            words = text.split(":", 1)[0].split()
            if words[0] == "use":  # use rule BASE as NAME with:
                text += rules[words[2]].text
            rules[words[-1] if words[0] == "rule" else words[4]] = Rule(words[-1], text)
    return [Rule(name, rule.text) for name, rule in rules.items()]


def script_to_options(script: str) -> set[str]:
    """Return the names of a script's options."""
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            command_line,
            "run_stage",
            lambda text, settings, paths, work, numbers=None: told.update(
                paths=paths, numbers=numbers or {}
            ),
        )
        runpy.run_path(str(ROOT / f"scripts/{script}.py"), run_name="__main__")
    return {name.removesuffix("...") for name in (*told["paths"], *told["numbers"])}


RULES = read_rules()


def test_all_rules_are_looked_at() -> None:
    assert {"ingest", "finetune", "features_of_samples", "report"} <= {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_names_what_its_script_takes(rule: Rule) -> None:
    options = script_to_options(rule.script)
    missing = options - rule.options
    if rule.name in {"features_of_samples", "features_of_sweep"}:
        missing -= {"tables"}  # shards bring their own
    assert not missing
    assert not rule.options - options


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_networks_run_on_a_gpu_and_nothing_else_does(rule: Rule) -> None:
    where_snakemake_runs = rule.name in {"fetch", "fetch_extractor", "plan"}
    networks = "diffusion.yaml" in rule.text and not where_snakemake_runs
    assert ("gpu=1" in rule.section("resources")) == networks


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_job_that_failed_is_given_more_memory(rule: Rule) -> None:
    """As docs/cluster.md says; what runs beside Snakemake asks for none."""
    asked = re.findall(r"(?m)^        mem_mb=(.*),$", rule.section("resources"))
    assert all(told.startswith("doubled_at_retries(") for told in asked)
    assert asked or rule.name in {"fetch", "fetch_extractor", "plan"}


def test_jobs_get_signals_themselves() -> None:
    text = (ROOT / "rules/common.smk").read_text()
    assert 'exec python "$BRIGHTBOOTH"' in text


def test_the_cluster_warns_jobs_and_sends_them_again() -> None:
    profile = yaml.safe_load(Path(ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["retries"] >= 1
    assert "--signal=TERM@" in profile["default-resources"]["slurm_extra"]
    on_gpus = {rule.name for rule in RULES if "gpu=1" in rule.section("resources")}
    partitions = {rule: told["slurm_partition"] for rule, told in profile["set-resources"].items()}
    assert partitions == dict.fromkeys(on_gpus, "gpu")


BEFORE_A_TRAINING = {"ingest", "quality", "split", "tiles", "latents", "prior", "prior_images"}
TRAININGS = {"finetune", "train_from_scratch", "tune_decoder"}


@pytest.mark.parametrize("name", sorted(BEFORE_A_TRAINING | TRAININGS))
def test_trainings_and_what_they_wait_for_go_first(name: str) -> None:
    (rule,) = (rule for rule in RULES if rule.name == name)
    assert "    priority: FIRST\n" in rule.text
