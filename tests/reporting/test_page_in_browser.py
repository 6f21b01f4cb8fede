"""The page in a real browser: two sizes of window, the keyboard, what axe would look at first."""

import argparse
import itertools
import runpy
from pathlib import Path

import pytest

from pipeline_lib.settings.report import ReportStage, StudyReportStage
from tests.browser import Browser
from tests.reporting.conftest import study_paths, write_run

ROOT = Path(__file__).parents[2]
SIZES = ((390, 844), (1280, 900))
TABS = 400
# WCAG 2: relative luminance of sRGB colours, what lies behind a text taken from its ancestors.
CONTRAST = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = colour.slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (["SCRIPT", "STYLE"].includes(node.tagName)) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
                walker.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
})()
"""
CONTROLS = """
[...document.querySelectorAll("a[href], button, summary, input, select, textarea")]
  .filter(one => one.checkVisibility({visibilityProperty: true}))
"""
SHOWN = "document.querySelector('.picture:target')?.id ?? ''"
FOCUS = "document.activeElement.id"


FAULTY = """<!doctype html><html lang="en"><head><title>Faulty</title></head>
<body><main><h1>Faulty</h1><img src="data:,"><p style="color: #bbb">pale</p></main></body></html>
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("seen") / "demo", ("cells", "debris"))


@pytest.fixture(scope="module")
def page(run):
    script = runpy.run_path(str(ROOT / "scripts" / "report.py"), run_name="report")
    script["report"](ReportStage.model_validate(run.settings), argparse.Namespace(**run.paths))
    return run.paths["page"]


@pytest.fixture(scope="module")
def study_page(run, tmp_path_factory):
    paths = study_paths(tmp_path_factory.mktemp("study"), [run] * 3, [5, 10, 20], [60, 90, 200])
    stage = StudyReportStage.model_validate({"report": {}, "runs": ["few", "more", "most"]})
    script = runpy.run_path(str(ROOT / "scripts" / "study.py"), run_name="study")
    script["study"](stage, argparse.Namespace(**paths))
    return paths["page"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def load(browser, page, size):
    browser.size(*size)
    browser.call("Page.navigate", url="about:blank")
    browser.open(page)
    return browser


@pytest.fixture(params=SIZES, ids=str)
def opened(request, browser, page):
    return load(browser, page, request.param)


@pytest.fixture(params=SIZES, ids=str)
def opened_study(request, browser, study_page):
    return load(browser, study_page, request.param)


def wider_than_the_window(browser):
    """Return what is; what scrolls within its own box, or is cut there, is not."""
    browser.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    return browser.run("""[...document.querySelectorAll("body *")].filter(one =>
        one.checkVisibility() && !one.closest(".scroll, svg")
        && one.getBoundingClientRect().right > innerWidth + 1)
        .map(one => one.outerHTML.slice(0, 80))""")


def unreached_by_the_keyboard(browser):
    """Return the controls that no number of tabs reaches."""
    missed = f"{CONTROLS}.filter(one => !reached.has(one)).map(one => one.outerHTML.slice(0, 80))"
    browser.run("window.reached = new Set()")
    for _ in range(TABS):
        browser.press("Tab")
        if not browser.run(f"reached.add(document.activeElement), {missed}"):
            break
    return browser.run(missed)


def test_nothing_is_wider_than_the_window(opened):
    assert wider_than_the_window(opened) == []


def test_axe_finds_nothing_serious(opened):
    assert opened.violations() == []


def test_axe_finds_faults_that_were_planted(browser, tmp_path):
    (tmp_path / "faulty.html").write_text(FAULTY)
    browser.open(tmp_path / "faulty.html")
    assert {found.partition(":")[0] for found in browser.violations()} == {
        "image-alt",
        "color-contrast",
    }


def test_the_page_of_the_study_is_as_good(opened_study):
    assert wider_than_the_window(opened_study) == []
    assert opened_study.violations() == []
    assert [pair for pair in opened_study.run(CONTRAST) if pair[0] < 4.5] == []
    assert unreached_by_the_keyboard(opened_study) == []
    assert opened_study.run("[...document.images].every(one => one.naturalWidth > 0 && one.alt)")
    assert opened_study.run("document.images.length") == 6
    assert opened_study.faults == []
    assert [url for url in opened_study.requests if url.startswith(("http", "ws"))] == []


def test_headings_and_landmarks_are_in_order(opened):
    levels = opened.run(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(one => Number(one.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for landmark in ("header", "nav[aria-label]", "main", "footer"):
        assert opened.run(f"document.querySelectorAll('body {landmark}').length") == 1
    outside = (
        "[...document.body.children].filter(one => one.innerText && "
        "!one.matches('header, main, footer, script')).length"
    )
    assert opened.run(outside) == 0
    assert opened.run("document.documentElement.lang") == "en"
    assert opened.run("document.title.length") > 0


def test_pictures_and_controls_have_names(opened):
    assert opened.run("[...document.images].filter(one => !one.alt.trim()).length") == 0
    assert opened.run("[...document.images].every(one => one.naturalWidth > 0)")
    unnamed = f"{CONTROLS}.filter(one => !(one.innerText.trim() || one.querySelector('img[alt]')))"
    assert opened.run(f"({unnamed}).length") == 0
    assert opened.run("[...document.querySelectorAll('svg[role=img]')].length") == 6
    assert opened.run(
        "[...document.querySelectorAll('svg[role=img]')].every(one => one.ariaLabel.length > 20)"
    )
    ids = opened.run("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    broken = (
        "[...document.querySelectorAll('a[href^=\"#\"]')]"
        ".filter(one => !document.getElementById(one.hash.slice(1))).length"
    )
    assert opened.run(broken) == 0


def test_every_text_stands_out_from_what_is_behind_it(opened):
    opened.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    contrasts = opened.run(CONTRAST)
    assert len(contrasts) > 100
    assert [pair for pair in contrasts if pair[0] < 4.5] == []


def test_the_keyboard_reaches_every_control(opened):
    assert unreached_by_the_keyboard(opened) == []
    scrolling = "[...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0)"
    assert opened.run(scrolling)
    assert opened.run("getComputedStyle(document.activeElement).outlineStyle") != "none"


@pytest.mark.parametrize("way_back", ["close", "escape"])
def test_pictures_are_enlarged_by_the_keyboard(opened, way_back):
    opened.run("document.getElementById('open-cells-1-2').focus()")
    small = opened.run("document.querySelector('#open-cells-1-2 img').clientWidth")
    opened.press("Enter", "\r")
    opened.wait(f"{SHOWN} === 'picture-cells-1-2'")
    assert opened.run("document.querySelector('#open-cells-1-2 img').clientWidth") > 2 * small
    box = "document.getElementById('picture-cells-1-2').getBoundingClientRect()"
    assert opened.run(f"{box}.top === 0 && {box}.height >= innerHeight")
    assert opened.run("document.querySelector('#open-cells-1-2 .scale').innerText") == "10 µm"
    if way_back == "escape":
        opened.press("Escape")
    else:
        opened.press("Tab")
        assert opened.run("document.activeElement.className") == "close"
        opened.press("Enter", "\r")
    opened.wait(f"{SHOWN} === ''")
    assert opened.run(FOCUS) == "open-cells-1-2"


def test_the_scale_bar_is_as_long_as_it_says(opened):
    share = opened.run(
        "document.querySelector('#open-cells-1-1 .scale').getBoundingClientRect().width / "
        "document.querySelector('#open-cells-1-1 img').getBoundingClientRect().width"
    )
    assert share * 64 * 0.619 == pytest.approx(10, rel=0.02)


def test_the_paragraph_is_copied_or_selected(opened):
    assert opened.run("!document.getElementById('copy').hidden")
    opened.run("document.getElementById('copy').focus()")
    opened.press("Enter", "\r")
    opened.wait("document.getElementById('copied').textContent !== ''")
    selected = opened.run("getSelection().toString()")
    assert selected.startswith("The latent diffusion model brightfield-tiny was fine-tuned")


def test_the_page_asks_nothing_of_the_network_and_throws_nothing(opened):
    assert opened.faults == []
    assert [url for url in opened.requests if url.startswith(("http", "ws"))] == []
