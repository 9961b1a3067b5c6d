"""The documentation as it is built: links lead somewhere, every command and setting is there, nothing is unsaid."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from workbench.cli.main import workbench
from workbench.inside import wire
from workbench.schema import OPTIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Page(HTMLParser):
    """What a built page refers to, and what it can be referred to by."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.links += [link for name in ("href", "src") if (link := named.get(name))]
        self.ids |= {id for name in ("id", "name") if (id := named.get(name))}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as CI does."""
    folder = tmp_path_factory.mktemp("site")
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stderr
    return folder


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", docs, site)
    return subprocess.run(words, capture_output=True, text=True)


def test_links_within_the_site(site: Path) -> None:
    pages = {file: Page(file) for file in site.rglob("*.html")}
    assert len(pages) > 30
    lost = [f"{file.relative_to(site)}: {link}" for file, page in pages.items() for link in page.links
            if not urlsplit(link).scheme and not leads(link, file, pages)]  # fmt: skip
    assert not lost


def leads(link: str, file: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    return target.exists() and (not parts.fragment or target not in pages or parts.fragment in pages[target].ids)


def test_links_to_the_world(site: Path) -> None:
    outside = {link for file in site.rglob("*.html") for link in Page(file).links if urlsplit(link).scheme}
    wrong = [link for link in outside if not re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+(/[^\s]*)?", link)]
    assert not wrong


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//')
    assert not [file.name for file in site.rglob("*.html") if loaded.search(file.read_text(encoding="utf-8"))]
    for picture in (DOCS / "images").glob("*.svg"):
        assert "url(" not in picture.read_text(encoding="utf-8").replace("url(#", "")


def paths(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) and not below.hidden:
                yield from paths(below, f"{path} {name}")


def test_commands_and_settings(site: Path) -> None:
    commands = Page(site / "reference/commands.html").ids
    wanted = [*paths(workbench, "workbench"), "run-notebook", "genversion"]
    assert not [path for path in wanted if path.replace(" ", "-") not in commands]
    text = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert "nb-dock" in text and "transfer-image" in text

    settings = Page(site / "reference/configuration.html").ids
    assert not [option.name for option in OPTIONS if option.name not in settings]
    protocol = (site / "reference/protocol.html").read_text(encoding="utf-8")
    assert not [verb for verb in wire.VERBS if f">{verb}<" not in protocol]
    assert not [file for file in site.rglob("*.html") if "generated:" in file.read_text(encoding="utf-8")]


def test_what_has_no_words_ends_the_build(tmp_path: Path) -> None:
    """A key of a table that no page explains; a link to a heading that is none."""
    docs = tmp_path / "checkout/docs"
    docs.parent.mkdir()
    subprocess.run(["cp", "-r", DOCS, docs], check=True)
    for name in ("workbench", "pyproject.toml", "CHANGELOG.md"):
        (docs.parent / name).symlink_to(ROOT / name)
    page = docs / "how-to/docks-sync.md"
    told = page.read_text(encoding="utf-8")
    page.write_text(told.replace("exclude", "leave-out"), encoding="utf-8")
    assert "exclude of [tool.workbench.sync]" in build(docs, tmp_path / "first").stderr

    page.write_text(told + "\n[nowhere](use.md#no-such-heading)\n", encoding="utf-8")
    done = build(docs, tmp_path / "second")
    assert done.returncode and "no-such-heading" in done.stderr


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "SECURITY.md"])
def test_links_of_files_beside_the_site(name: str) -> None:
    text = FENCE.sub("", (ROOT / name).read_text(encoding="utf-8"))
    links = [link for link in LINK.findall(text) if not urlsplit(link).scheme]
    assert not [link for link in links if not (ROOT / link.partition("#")[0]).exists()]


def test_pictures_are_small_and_all_are_used() -> None:
    pictures = [file for file in (DOCS / "images").iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in pictures) < 1_000_000
    pages = "".join(file.read_text(encoding="utf-8") for file in [*DOCS.rglob("*.md"), ROOT / "README.md"])
    assert not [file.name for file in pictures if f"images/{file.name}" not in pages]
