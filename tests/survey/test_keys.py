from __future__ import annotations

import json

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.keys import text_to_key
from tests.survey.small_survey import make_survey


@pytest.fixture(scope="module")
def key():
    return make_survey(6, 4)[0]


def test_a_key_comes_back_as_it_was_written(key):
    found = text_to_key(json.dumps(key.model_dump()), "key.json")
    assert found.model_dump() == key.model_dump()
    assert found.commitments == key.commitments


@pytest.mark.parametrize("what", ["target", "order", "secret", "alternatives", "shorter"])
def test_a_changed_key_is_refused(key, what):
    record = json.loads(json.dumps(key.model_dump()))
    first = record["trials"][0]
    if what == "target":
        first["target"] = first["target"] % 4 + 1
    if what == "order":
        unlike = next(t for t in record["trials"] if t["target"] != first["target"])
        place = record["trials"].index(unlike)
        record["trials"][0], record["trials"][place] = unlike, first
    if what == "secret":
        record["secret"] = "0" * 64
    if what == "alternatives":
        record["settings"]["alternatives"] = 2
    if what == "shorter":
        record["trials"].pop()
    with pytest.raises(UserError, match=r"key\.json.*survey_key\.json"):
        text_to_key(json.dumps(record), "key.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '"key"', '{"survey": 3}', "\ufffd\x00PK"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(UserError, match=r"key\.json"):
        text_to_key(text, "key.json")
