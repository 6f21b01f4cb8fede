"""Score a blind survey: how often raters find the real picture, and how sure that is.

Prints a table with a row for each rater and one for all. Takes the files that raters saved, as they
are; files that belong to another survey, or were changed, are refused.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pipeline_lib.command_line import USER_ERROR_EXIT
from pipeline_lib.files import atomic_path, write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.answers import bytes_to_answers, merge_answers
from pipeline_lib.survey.keys import text_to_key
from pipeline_lib.survey.scores import SurveyScore, answers_to_survey_score, score_to_record
from pipeline_lib.survey.words import score_to_text, scores_to_rows


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("answers", type=Path, nargs="+", help="files of answers (.csv), one for each rater")
    add("--key", type=Path, required=True, help="survey_key.json, written beside the survey")
    add("--scores", type=Path, help="file to write everything to (.json)")
    add("--table", type=Path, help="file to write the table to (.csv)")
    return parser.parse_args()


def score_survey(paths: argparse.Namespace) -> SurveyScore:
    """Read key and answers, and score them."""
    key = text_to_key(read_bytes(paths.key).decode("utf-8-sig", "replace"), str(paths.key))
    files = [
        (str(path), bytes_to_answers(read_bytes(path), str(path), key)) for path in paths.answers
    ]
    return answers_to_survey_score(merge_answers(files), key)


def read_bytes(path: Path) -> bytes:
    """Return a file's content."""
    if not path.is_file():
        raise UserError(f"no file {path}")
    return path.read_bytes()


def write_scores(score: SurveyScore, paths: argparse.Namespace) -> None:
    """Write what is asked for."""
    if paths.scores:
        write_json(paths.scores, score_to_record(score))
    if paths.table:
        with atomic_path(paths.table) as beside:
            pd.DataFrame([asdict(row) for row in scores_to_rows(score)]).to_csv(beside, index=False)


def main() -> None:
    """Score, print, write."""
    paths = parse_arguments()
    try:
        score = score_survey(paths)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_EXIT)
    print(score_to_text(score))
    write_scores(score, paths)


if __name__ == "__main__":
    main()
