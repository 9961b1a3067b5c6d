"""Pages of notebooks, as a person sees them in Chromium: by day, by night, on a telephone, on paper."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside.diffs.written import code, failed, markdown, notebook, png, printed, result, shown, text64
from playwright.sync_api import Browser, Page, sync_playwright
from support.require import require

from workbench.inside.diffs.convert import convert

WIDE = "<table><tr>" + "".join(f"<td>{number}</td>" for number in range(200)) + "</tr></table>"
STYLED = '<table><tr><td style="background-color: #ffff00">1</td><td style="color: black">2</td></tr></table>'
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="1500" height="9"><path d="M0 0h1500v9z"/></svg>'
CELLS = (
    markdown("# Title\n\nText with `code`, $x$ and [a link](#Title).\n\n" + "word" * 300 + "\n\n|a|b|\n|--|--|\n|1|2|"),
    code("x = 1  # " + "long " * 100, printed("y" * 3000 + "\n" + "line\n" * 500), printed("warning " * 90, "stderr")),
    code("", result({"text/html": WIDE}), shown({"text/html": STYLED}), shown({"text/plain": "z" * 500})),
    code("", shown({"image/png": text64(png())}), shown({"image/svg+xml": DRAWING})),
    code(
        "",
        failed("E", "e", "\x1b[31mred\x1b[0m \x1b[38;2;0;0;90mdark\x1b[0m \x1b[38;2;255;255;0mlight\x1b[0m", "-" * 300),
    ),
)
COLOURS = """() => [...document.querySelectorAll('main *')].filter(element => [...element.childNodes].some(
    node => node.nodeType === Node.TEXT_NODE && node.textContent.trim())).map(element => {
        let behind = element;
        while (behind && /, 0\\)$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
        const colours = [getComputedStyle(element).color, getComputedStyle(behind || document.body).backgroundColor];
        const brush = new OffscreenCanvas(1, 1).getContext('2d');
        return [element.outerHTML.slice(0, 80), ...colours.map(colour => {
            brush.fillStyle = colour;
            brush.fillRect(0, 0, 1, 1);
            return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
        })];
    })"""
"""The colour of every text and of what is behind it, as red, green and blue."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page in a folder, as it lies in a project."""
    folder = tmp_path_factory.mktemp("project") / ".diffs"
    made = convert(notebook(*CELLS), "my book")
    (folder / "my book_files").mkdir(parents=True)
    for name, content in made.images.items():
        (folder / "my book_files" / name).write_bytes(content)
    (folder / "my book.html").write_text(made.page, encoding="utf-8")
    return folder / "my book.html"


def opened(browser: Browser, file: Path, scheme: str = "light", width: int = 1200) -> Page:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page.goto(file.as_uri())
    if folder := os.environ.get("WORKBENCH_TEST_OUTPUT"):
        page.screenshot(path=Path(folder) / f"diffs-{scheme}-{width}.png", full_page=True)
    return page


def test_images_are_shown(browser: Browser, file: Path) -> None:
    widths = opened(browser, file).evaluate("() => [...document.images].map(image => image.naturalWidth)")
    assert widths == [1, 1500]


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_what_is_wide_scrolls_by_itself(browser: Browser, file: Path, width: int) -> None:
    page = opened(browser, file, width=width)
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, file: Path, scheme: str) -> None:
    texts = opened(browser, file, scheme).evaluate(COLOURS)
    assert len(texts) > 30
    weak = [(text, round(ratio, 1)) for text, *colours in texts if (ratio := contrast(*colours)) < 4]
    assert weak == []


def test_day_and_night_differ_and_paper_is_white(browser: Browser, file: Path) -> None:
    def ground(page: Page) -> float:
        return light(page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))

    night = opened(browser, file, "dark")
    assert ground(opened(browser, file, "light")) > 0.9
    assert ground(night) < 0.1
    night.emulate_media(media="print")
    assert ground(night) > 0.9


def contrast(colour: list[int], behind: list[int]) -> float:
    """As the Web Content Accessibility Guidelines count it: 1 is none, 21 is black on white."""
    low, high = sorted((light(colour), light(behind)))
    return (high + 0.05) / (low + 0.05)


def light(colour: list[int]) -> float:
    """Relative luminance of red, green and blue, each up to 255."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
                        for part in (part / 255 for part in colour))  # fmt: skip
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
