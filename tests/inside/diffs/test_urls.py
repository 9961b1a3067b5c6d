"""Which addresses a page may name."""

import pytest

from workbench.inside.diffs.urls import link, picture


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://example.org/a?b=c:d#e", "https://example.org/a?b=c:d#e"),
        (" HTTP://example.org ", "HTTP://example.org"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("#here", "#here"),
        ("a/b c.ipynb#d", "../a/b c.ipynb#d"),
        ("../a.md?b:c", "../../a.md?b:c"),
        ("a/b:c", "../a/b:c"),
        ("", None),
        ("/a", None),
        ("//example.org/a", None),
        ("\\\\example.org\\a", None),
        ("/\\example.org", None),
        ("a\\b", None),
        ("javascript:a", None),
        (" java\nscript:a", None),
        ("\x01javascript:a", None),
        ("a\x00b", None),
        ("data:text/html,a", None),
        ("file:///a", None),
        ("vbscript:a", None),
        ("C:/a", None),
        (":a", None),
    ],
)
def test_links(address, expected):
    assert link(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a.png", "../a.png"),
        ("../fig/a b.SVG", "../../fig/a b.SVG"),
        ("a.png?b", None),
        ("a", None),
        ("a.html", None),
        ("https://example.org/a.png", None),
        ("//example.org/a.png", None),
        ("/a.png", None),
        ("\\\\example.org\\a.png", None),
        ("file:a.png", None),
        ("javascript:a.png", None),
    ],
)
def test_pictures(address, expected):
    assert picture(address) == expected
