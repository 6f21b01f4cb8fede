from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.features import FeaturesStage

def work(stage, paths):
    if stage.batch_size == 7:
        raise UserError("seven is refused; set batch_size to 8")
    if stage.batch_size == 13:
        raise RuntimeError("a fault of ours")
    print(stage.batch_size, [path.name for path in paths.images], paths.features.name)
    print(paths.images_at_once)

PATHS = {"images...": "several", "features": "one"}
run_stage("Do it.", FeaturesStage, PATHS, work, {"images_at_once": "a number"})
"""


def run(tmp_path: Path, settings: str, *images: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM, "--settings", settings, "--features", "x.npz"),
            *("--log", str(tmp_path / "logs/a.log"), "--images", *images),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_settings_and_paths_reach_the_work(tmp_path: Path) -> None:
    done = run(tmp_path, "{}", "a.tif", "b.tif")
    assert done.stdout.splitlines() == ["32 ['a.tif', 'b.tif'] x.npz", "None"]
    assert done.returncode == 0


def test_settings_longer_than_an_argument_may_be_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"prompt": "' + 200_000 * "a" + '"}\n')
    done = run(tmp_path, f"@{tmp_path}/settings.json", "a.tif")
    assert done.returncode == 0 and done.stdout.startswith("32 ['a.tif']")


def test_numbers_are_whole_and_above_zero(tmp_path: Path) -> None:
    done = run(tmp_path, "{}", "a.tif", "--images-at-once", "12")
    assert done.stdout.splitlines()[1] == "12"
    for wrong in ("0", "-1", "1.5", "many"):
        done = run(tmp_path, "{}", "a.tif", f"--images-at-once={wrong}")
        assert done.returncode == 2
        assert f"--images-at-once: needs a whole number above 0, found '{wrong}'" in done.stderr


def test_long_lists_come_from_a_file(tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text("a.tif\nb c.tif\n")
    done = run(tmp_path, "{}", f"@{listing}")
    assert "['a.tif', 'b c.tif']" in done.stdout


def test_wrong_settings_are_named_without_a_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, '{"batch": 3}')
    assert done.returncode == 2
    assert "--settings: batch: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_user_error_is_a_message_in_the_terminal_and_the_log(tmp_path: Path) -> None:
    done = run(tmp_path, '{"batch_size": 7}')
    assert done.returncode == 2
    assert "seven is refused" in done.stderr
    assert "seven is refused" in (tmp_path / "logs/a.log").read_text()
    assert "Traceback" not in done.stderr


def test_a_fault_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    done = run(tmp_path, '{"batch_size": 13}')
    assert done.returncode == 1
    assert "a fault of ours" in (tmp_path / "logs/a.log").read_text()
