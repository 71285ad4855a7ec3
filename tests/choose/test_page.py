from html.parser import HTMLParser

from PIL import Image

from ectype.choose.page import write_page
from tests.choose.figures import failed, measures, state, trial


class Page(HTMLParser):
    """What a page shows, and what it asks for."""

    def __init__(self, content):
        super().__init__()
        self.asked, self.text, self.images = [], [], 0
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href") and not (value or "").startswith("data:"):
                self.asked.append(value)
        self.images += tag == "img"

    def handle_data(self, data):
        self.text.append(data.strip())


def test_the_page_is_whole_and_asks_for_nothing(tmp_path):
    sheet = tmp_path / "somewhere.png"
    Image.new("L", (8, 8)).save(sheet)
    Image.new("L", (8, 8)).save(tmp_path / "real.png")
    found = state(
        {"gan": trial(90.0), "vae": trial(300.0), "gan-free": failed("<b>why</b>")},
        {"gan": trial(80.0, seconds=30), "vae": trial(290.0, seconds=30)},
        {"gan": trial(70.0, seconds=300)},
        winner="gan",
    )
    found.test = measures(65.0)
    path = write_page(found, tmp_path)
    page = Page(path.read_text())
    assert page.asked == []
    assert page.images == 3  # real, gan, vae
    assert "Use gan: about gan." in page.text
    assert "<b>why</b>" in page.text, "what a candidate says is text"
    assert "65.0" in page.text
