"""The report opened from disk in headless Chromium, in both themes, on a desk and on a phone."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from ectype.report import write_report
from tests.report.browser import Browser
from tests.report.examples import report

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here; Debian: apt-get install chromium"
    ),
]

BAD = """<!doctype html><html><body style="width: 3000px"><script>console.error("oh")</script>
<script>nothing()</script><img src="http://127.0.0.1:9/x.png"></body></html>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return write_report(report(folder), folder)[0].as_uri()


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]
)
def test_the_report_opens_without_errors_or_requests(browser, address, theme, width):
    visit = browser.open(address, theme=theme, width=width)
    assert visit.errors == []
    assert visit.requests == []
    assert browser.value("document.querySelector('h1').offsetHeight > 0")
    assert browser.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert browser.value("document.documentElement.scrollWidth") == width, "wider than the screen"
    brightness = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L"))
    assert brightness[0, 0] > 200 if theme == "light" else brightness[0, 0] < 60


def test_a_page_that_errs_and_asks_is_found_out(browser, tmp_path):
    """Else the test above would prove nothing."""
    page = tmp_path / "bad.html"
    page.write_text(BAD)
    visit = browser.open(page.as_uri(), width=390)
    assert any("oh" in error for error in visit.errors)
    assert any("Uncaught" in error for error in visit.errors)
    assert visit.requests == ["http://127.0.0.1:9/x.png"]
    assert browser.value("document.documentElement.scrollWidth") > 390


def test_the_policy_stops_what_a_page_would_ask(browser, tmp_path):
    """A page as ours is, into which a script and a picture from elsewhere have got."""
    from ectype.report.page import document

    page = tmp_path / "infected.html"
    body = "<script>document.title = 'taken'</script><img src='http://127.0.0.1:9/x.png'>"
    page.write_text(document("ours", body))
    visit = browser.open(page.as_uri())
    assert browser.value("document.title") == "ours"
    assert len(visit.errors) >= 2
