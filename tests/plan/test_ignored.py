"""What `.dockerignore` leaves out: where versions of Docker differ, as today's reads it; the rest in tests/user."""

import pytest

from workbench.plan import ignored


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        # A folder that is left out takes along what is in it, however deep, and a wildcard finds what is taken back.
        ("**/secret\n!x/secret/ok", ["secret", "a/b/secret/c/d", "x/secret/no"], ["x/secret/ok", "secrets"]),
        ("*\n!**/*.md\n", ["docs", "a/b.txt"], ["docs/x.md", "a/b/c.md"]),
        ("a\n!a/b\na/b/c", ["a", "a/x", "a/b/c", "a/b/c/d"], ["a/b", "a/b/d"]),
        # What is no pattern is text.
        ("[a\nc++\n(x|y)\n$HOME", ["[a", "c++", "(x|y)", "$HOME"], ["a", "cc", "x", "y"]),
        ("\n!\n! \n/\n.\n", [], ["a", ".hidden"]),
        ("a?c\n*.py[co]\n[!x]z", ["abc", "m.pyc", "!z"], ["a/c", "m.py", "az"]),
    ],
)
def test_what_is_left_out(text: str, out: list[str], kept: list[str]) -> None:
    rules = ignored.read(text)
    assert [path for path in (*out, *kept) if ignored.leaves_out(rules, path)] == out


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("a", "a", False),
        ("a\n!a/b", "a", True),
        ("a\n!ab", "a", False),
        ("a\n!a/b", "a/c", False),
        ("a\n!a", "a", True),
        ("a\n!*/b", "a", True),
    ],
)
def test_which_folders_are_looked_into(text: str, folder: str, expected: bool) -> None:
    assert ignored.may_take_back(ignored.read(text), folder) is expected
