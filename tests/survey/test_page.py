"""The page, and its own code in Chromium where there is one."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from pipeline_lib.survey.answers import bytes_to_answers
from pipeline_lib.survey.scores import answers_to_survey_score
from tests.browser import Browser
from tests.reporting.conftest import PageText
from tests.survey.small_survey import make_survey

TITLE = "Cells <script>alert(1)</script> & more"
TRIALS = 6


def page_to_data(html):
    found = re.search(r'<script type="application/json" id="survey-data">(.*?)</script>', html)
    return json.loads(found[1])


# --- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("alternatives", [2, 4])
def test_a_page_says_nothing_of_its_answers(alternatives):
    key, html = make_survey(TRIALS, alternatives, title=TITLE)
    data = page_to_data(html)
    assert set(data) == {"survey", "alternatives", "scale", "height", "width", "trials"}
    assert all(set(trial) == {"commitment", "pictures"} for trial in data["trials"])
    pictures = [picture for trial in data["trials"] for picture in trial["pictures"]]
    assert len(pictures) == len(set(pictures)) == TRIALS * alternatives
    assert len({len(picture) for picture in pictures}) == 1
    assert key.secret not in html
    names = [trial.real for trial in key.trials] + [trial.source for trial in key.trials]
    names += [name for trial in key.trials for name in trial.synthetic]
    text = html.replace(json.dumps(data["trials"]), "")
    assert not [name for name in names if name in text]


def test_a_page_is_one_whole_document_that_reaches_nothing():
    _, html = make_survey(TRIALS, title=TITLE)
    tags = PageText(html)
    assert tags.unbalanced == [] and tags.open == []
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r'"pictures": ?\[[^]]*]', "", html))
    assert [tag["href"] for tag in tags.all("link")] == ["data:,"]
    assert all("src" not in tag for tag in tags.all("script"))
    (policy,) = [tag for tag in tags.all("meta") if "http-equiv" in tag]
    assert policy["content"].startswith("default-src 'none'")
    assert TITLE not in html and "&lt;script&gt;alert(1)" in html


def test_controls_are_labelled_and_pictures_have_words():
    _, html = make_survey(TRIALS, 4)
    tags = PageText(html)
    labelled = {tag["for"] for tag in tags.all("label")}
    assert {tag["id"] for tag in [*tags.all("input"), *tags.all("textarea")]} == labelled
    assert [tag["alt"] for tag in tags.all("img")] == [f"image {i} of 4" for i in (1, 2, 3, 4)]
    assert len({tag["id"] for _, tag in tags.tags if "id" in tag}) == sum(
        "id" in tag for _, tag in tags.tags
    )


# --- in the browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("survey")


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "browser")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def keys(folder):
    """Two surveys on disk, and their keys."""
    keys = {}
    for alternatives in (2, 4):
        side = 128 if alternatives == 2 else 512
        keys[alternatives], html = make_survey(TRIALS, alternatives, title=TITLE, side=side)
        (folder / f"{alternatives}.html").write_text(html, encoding="utf-8")
    return keys


def settle(browser):
    """Wait until the page takes an answer."""
    browser.wait("performance.now() - shownAt >= SETTLE_MS")


def begin(browser, name="Zoë M. 2"):
    """Give a name and begin, by keyboard alone."""
    browser.press("Tab")
    assert browser.run("document.activeElement.id") == "rater"
    browser.call("Input.insertText", text=name)
    browser.press("Enter", "\r")


def place(browser):
    return browser.run("document.getElementById('place').textContent")


def test_a_survey_by_keyboard_alone_with_a_reload(browser, keys, folder):
    key = keys[2]
    browser.open(folder / "2.html")
    assert browser.run("document.body.dataset.survey") == key.survey
    begin(browser)
    for number, trial in enumerate(key.trials, 1):
        assert place(browser) == f"Trial {number} of {TRIALS}"
        settle(browser)
        if number == 2:
            # By Tab and Enter; the frame of the focus is seen.
            while browser.run("buttons.indexOf(document.activeElement)") != trial.target - 1:
                browser.press("Tab")
            outline = "getComputedStyle(document.activeElement).outlineWidth"
            assert browser.run(outline) == "3px"
            browser.press("Enter", "\r")
        elif number == 3:
            browser.press(str(3 - trial.target), str(3 - trial.target))  # wrong on purpose
        else:
            browser.press(str(trial.target), str(trial.target))
        if number == 4:
            browser.reload()
    assert browser.run("document.getElementById('end-title').textContent") == "Done. Thank you!"
    browser.run("document.getElementById('save').focus()")
    browser.press("Enter", "\r")
    path = browser.downloaded()
    assert path.name == f"{key.survey}-Zoë-M-2.csv"
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfsurvey,rater,")
    answers = bytes_to_answers(content, path.name, key)
    assert {one.rater for one in answers} == {"Zoë M. 2"}
    assert all(200 <= one.milliseconds < 60_000 for one in answers)
    score = answers_to_survey_score(answers, key).pooled
    assert (score.correct, score.answered) == (TRIALS - 1, TRIALS)
    assert browser.faults == []
    assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data", "blob"}


def test_clicks_going_back_and_what_must_not_count(browser, keys, folder):
    browser.open(folder / "2.html")
    begin(browser)
    settle(browser)
    browser.run("buttons[0].click(); buttons[0].click()")  # a double click answers one trial
    assert place(browser) == f"Trial 2 of {TRIALS}"
    settle(browser)
    browser.press("2", "2", repeat=True)  # a held key answers nothing
    browser.press("3", "3")  # there is no third picture
    browser.press("ArrowRight")  # no way past a trial without an answer
    assert place(browser) == f"Trial 2 of {TRIALS}"
    browser.press("ArrowLeft")
    assert browser.run("buttons.map(b => b.getAttribute('aria-pressed')).join()") == "true,false"
    settle(browser)
    browser.press("2", "2")
    assert browser.run("JSON.stringify(Object.values(progress.answers).map(a => a[0]))") == "[2]"
    browser.run("document.getElementById('pause').click()")
    assert (
        browser.run("document.getElementById('end-title').textContent") == f"1 of {TRIALS} answered"
    )
    browser.press("1", "1")  # keys count in a trial alone
    assert browser.run("answered()") == 1
    browser.run("document.getElementById('clear').click()")
    browser.wait("!document.getElementById('start').hidden && answered() === 0")
    assert browser.faults == []


def test_pictures_are_those_of_the_file_pixel_by_pixel(browser, keys, folder):
    data = page_to_data((folder / "2.html").read_text(encoding="utf-8"))
    browser.open(folder / "2.html")
    begin(browser)
    shown = browser.run("buttons.map(b => b.firstElementChild.src).join(' ')").split()
    assert shown == [f"data:image/png;base64,{one}" for one in data["trials"][0]["pictures"]]
    # Large windows give the scale asked for; else the largest that keeps pixels whole.
    for width, height, ratio, scale in (
        (1280, 900, 1, 3),
        (390, 844, 1, 2),
        (390, 940, 3, 7 / 3),
        (1280, 560, 1.5, 2),
    ):
        browser.size(width, height, ratio)
        browser.wait(f"window.innerWidth === {width} && devicePixelRatio === {ratio}")
        shown = "buttons[0].firstElementChild.getBoundingClientRect().width"
        browser.wait(f"Math.abs({shown} - {128 * scale}) < 0.1")
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
        style = "getComputedStyle(buttons[0].firstElementChild).imageRendering"
        assert browser.run(style) == "pixelated"


@pytest.mark.parametrize("width", [390, 1280])
def test_large_pictures_fit_and_say_so(browser, keys, folder, width):
    browser.open(folder / "4.html")
    browser.size(width, 844)
    begin(browser)
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.run("document.getElementById('narrow').hidden") is (width == 1280)
    sides = browser.run("buttons.map(b => b.firstElementChild.clientWidth)")
    assert sides == ([512] * 4 if width == 1280 else [sides[0]] * 4)
    assert sides[0] > 250


def test_a_name_is_asked_for(browser, keys, folder):
    browser.open(folder / "2.html")
    for name in ("", "  ", "=1+1", "7", "a,b", "a;b", "x" * 41, 'a"'):
        assert browser.run(f"nameOf({json.dumps(name)})") is None
    assert browser.run("nameOf('  Zoe\\u0308   M. ')") == "Zoë M."
    begin(browser, "7")
    assert browser.run("document.getElementById('trial').hidden")
    assert "begins with a letter" in browser.run(
        "document.getElementById('rater-fault').textContent"
    )


def test_digests_are_sha256(browser, keys, folder):
    browser.open(folder / "2.html")
    texts = ["", "abc", "é€𝄞\n", *("x" * n for n in (54, 55, 56, 63, 64, 65, 119, 120, 5000))]
    found = browser.run(f"{json.dumps(texts)}.map(sha256)")
    assert found == [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def test_a_damaged_page_begins_nothing(browser, keys, folder):
    html = (folder / "2.html").read_text(encoding="utf-8")
    commitment = keys[2].commitments[2]
    (folder / "damaged.html").write_text(html.replace(commitment, "0" * 64), encoding="utf-8")
    browser.open(folder / "damaged.html")
    assert browser.run("document.querySelectorAll('main section:not([hidden])').length") == 0
    assert "damaged" in browser.run("document.getElementById('fault').textContent")


def test_what_is_kept_belongs_to_one_survey_and_is_checked(browser, keys, folder):
    browser.open(folder / "2.html")
    kept = {"rater": "Anna", "answers": {"1": [2, 900], "2": [7, 900], "99": [1, 1], "3": "x"}}
    text = json.dumps(json.dumps(kept))
    browser.run(f"localStorage.setItem(store, {text})")
    browser.reload()
    assert browser.run("JSON.stringify(progress.answers)") == '{"1":[2,900]}'
    assert place(browser) == f"Trial 2 of {TRIALS}"
    browser.open(folder / "4.html")
    browser.wait("survey.alternatives === 4")
    assert browser.run("answered()") == 0
    browser.run('localStorage.setItem(store, \'{"answers": 5, "rater": {}}\')')
    browser.reload()
    assert browser.run("document.getElementById('start').hidden") is False
    assert browser.faults == []
