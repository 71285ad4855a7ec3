"""The page: well-formed, of one piece, and deaf to what names and texts hold."""

import itertools
import re
from html.parser import HTMLParser

import pytest

from ectype.report import Exhibit, write_report
from ectype.report.page import document, measures_table, style
from ectype.report.sheet import sheet
from tests.report.examples import NASTY, change, measures, report

VOID = {"meta", "link", "img", "br", "hr", "input"}
#: Attributes by which a page asks for something, or acts.
LOADING = {"src", "href", "srcset", "poster", "action", "background", "formaction", "data"}


class Reader(HTMLParser):
    """Reads a page strictly: what opens closes, in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self._open, f"<{tag}/> is not HTML"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def page(tmp_path):
    return Reader(sheet(report(tmp_path)))


def test_nothing_is_asked_of_anywhere(page):
    asked = [attrs[name] for _, attrs in page.tags for name in LOADING & set(attrs)]
    assert asked
    assert all(address.startswith("data:") for address in asked)
    assert not re.search(r"@import|url\(|expression\(", style())
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:; ")


def test_what_names_and_texts_hold_stays_text(page):
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "b*", "iframe", "p>"}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    texts = [text.strip() for _, text in page.texts]
    assert texts.count(NASTY) >= 5  # heading, captions, facts, settings, event, note
    assert any(NASTY in image["alt"] for image in page.all("img"))
    assert any(where == "pre" and text == f"Åse\n{NASTY}\n" for where, text in page.texts)
    assert "<p>" in texts  # the name of a loss


def test_headings_are_in_order(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_the_verdict_stands_before_the_figures_and_these_before_the_samples(tmp_path):
    text = sheet(report(tmp_path))
    places = [
        text.index(part)
        for part in (
            'class="verdict"',
            'class="measures"',
            "Title of samples",
            "Title of real",
            "Title of near_copies",
            "Title of interpolation",
            "Title of texts",
            'class="charts"',
            "Title of previews",
            'class="events"',
            "All settings",
        )
    ]
    assert places == sorted(places)


def test_what_is_seen_can_be_read_out(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(sound["aria-label"] for sound in page.all("audio"))
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    drawings = page.all("svg")
    assert all(d.get("aria-hidden") == "true" or d["role"] == "img" for d in drawings)
    assert all(d["aria-label"] for d in drawings if d.get("role") == "img")
    assert page.all("html")[0]["lang"] == "en"


def test_images_have_their_size_and_small_ones_sharp_pixels(page):
    sizes = {(i["width"], i["height"], i.get("class")) for i in page.all("img")}
    assert sizes == {("40", "30", "sharp"), ("500", "20", None)}


def test_the_table_shows_every_measure_with_all_that_it_says():
    found = change(measures(frechet=176.63, recall=0.33149), "recall", interval=(0.31, 0.3589))
    reader = Reader(measures_table(found))
    rows = measures_table(found).split("<tr>")[2:]
    assert len(rows) == len(found)
    recall = re.sub(r"<[^>]+>", " ", rows[list(found).index("recall")]).split()
    for word in (
        "Real",
        "recall",
        "0.331",
        "0.901",
        "0.310",
        "0.359",
        "higher",
        "5,000",
        "efficientnet-lite0@128",
    ):
        assert word in recall
    assert len(reader.all("td")) == 7 * len(found)


def test_a_copying_model_stands_out(tmp_path):
    copying = sheet(report(tmp_path, measures=measures(near_copies=0.4)))
    assert (
        '<section class="verdict alarm">\n<h2>This model copies its training data.</h2>' in copying
    )
    assert "alarm" not in sheet(report(tmp_path)).split("</style>")[1]


def test_a_report_with_nothing_in_it_is_a_page(tmp_path):
    empty = report(tmp_path, measures={}, facts={}, settings={}, exhibits=(), log=[], events=[])
    reader = Reader(sheet(empty))
    assert not reader.all("figure")
    assert not reader.all("table")
    assert [text for tag, text in reader.texts if tag == "h2"] == [
        "There are too few figures for a verdict."
    ]


def test_files_that_cannot_be_shown_are_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"x")
    odd = Exhibit(key="samples", title="t", caption="c", files=(tmp_path / "model.bin",))
    with pytest.raises(ValueError, match=r"PNG, WAV and text files, not model\.bin"):
        sheet(report(tmp_path, exhibits=(odd,)))
    lost = Exhibit(key="samples", title="t", caption="c", files=(tmp_path / "lost.png",))
    with pytest.raises(FileNotFoundError):
        write_report(report(tmp_path, exhibits=(lost,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_text_has_contrast_in_both_themes():
    light, dark = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)[:2]
    for block in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
        for ground in ("ground", "panel", "alarm-ground"):
            for text in ("ink", "muted"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["accent"], colours["ground"]) >= 4.5
        assert contrast(colours["alarm"], colours["alarm-ground"]) >= 4.5
        for curve in range(4):  # what is drawn needs less
            assert contrast(colours[f"curve-{curve}"], colours["ground"]) >= 3


def contrast(a, b):
    """WCAG 2.2, contrast ratio: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_document_stands_alone():
    reader = Reader(document(NASTY, "<p>x</p>"))
    assert ("title", NASTY) in reader.texts
    assert {"name": "color-scheme", "content": "light dark"} in reader.all("meta")
