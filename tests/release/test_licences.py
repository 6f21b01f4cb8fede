import pytest
from pydantic import ValidationError

from pipeline_lib.release.licences import licence_to_address, licence_to_hub
from pipeline_lib.settings.release import ReleaseSettings


@pytest.mark.parametrize(
    ("licence", "matter"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("CreativeML Open RAIL-M", {"license": "creativeml-openrail-m"}),
        ("CreativeML Open RAIL++-M", {"license": "openrail++"}),
        ("MIT OR Apache-2.0", {"license": "other", "license_name": "MIT OR Apache-2.0"}),
        ("", {}),
    ],
)
def test_licences_in_the_words_of_the_hub(licence, matter):
    assert licence_to_hub(licence) == matter


def test_a_licence_has_a_page_and_an_expression_has_none():
    assert licence_to_address("CC0-1.0") == "https://spdx.org/licenses/CC0-1.0.html"
    assert licence_to_address("MIT OR Apache-2.0") == "MIT OR Apache-2.0"
    assert licence_to_address("LicenseRef-Ours") == "LicenseRef-Ours"


def test_a_licence_is_one_of_spdx_or_ones_own():
    assert ReleaseSettings(licence="cc-by-4.0").licence == "CC-BY-4.0"
    assert ReleaseSettings(licence="LicenseRef-Ours").licence == "LicenseRef-Ours"
    assert ReleaseSettings().licence == ""
    with pytest.raises(ValidationError, match=r"creative commons.*needs an identifier of https"):
        ReleaseSettings(licence="creative commons")
