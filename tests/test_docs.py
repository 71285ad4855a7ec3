"""What README and docs name exists: files, commands, flags, settings."""

import re
import shlex
from pathlib import Path

import pytest

from ectype import cli
from ectype.config import Budget, Config, listing
from ectype.domains import known

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(ectype [^#\n]*)|`(ectype [^`\n]*)`", re.MULTILINE)


def names(pattern):
    """(page, match) of every match in every page, as test parameters."""
    return [
        pytest.param(page, next(filter(None, match.groups())).strip(), id=f"{page.stem}-{i}")
        for page in PAGES
        for i, match in enumerate(re.finditer(pattern, page.read_text()))
    ]


@pytest.mark.parametrize(("page", "link"), names(r"\]\((?!http)([^)#]+)"))
def test_links_lead_somewhere(page, link):
    assert (page.parent / link).exists()


@pytest.mark.parametrize(
    ("page", "path"), names(r"`((?:src|tests|docs|benchmarks|\.ci)/[\w./-]*)`")
)
def test_paths_exist(page, path):
    assert (ROOT / path).exists()


def test_the_file_tree_exists():
    tree = (ROOT / "README.md").read_text().split("## What is where")[1].split("```")[1]
    for line in tree.strip().splitlines():
        folder = ROOT / "src" / "ectype" if line.startswith(" ") else ROOT
        for name in re.split(r"\s{2,}", line.strip())[0].split(", "):
            assert (folder / name).exists(), name


@pytest.mark.parametrize(("page", "line"), names(COMMAND))
def test_commands_can_be_given(page, line):
    """Every command line parses, with RUN, OUT and so on as if they were meant."""
    command, *rest = shlex.split(line)[1:]
    assert command in cli.app
    if rest:
        cli.app.parse_args([command, *rest])


@pytest.mark.parametrize(("page", "key"), names(r"((?:gan|vae|training|data)\.[a-z]\w+)\b[=`]"))
def test_settings_exist(page, key):
    keys = {"data.name"}  # docs/add-a-domain.md means the name of any setting
    for domain in known().values():
        config = Config(family="gan", domain="", budget=Budget(steps=1), data=domain.Settings())
        keys |= {row["key"] for row in listing(config)}
    assert key in keys
