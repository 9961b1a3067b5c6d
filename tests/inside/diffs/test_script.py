"""The script among the copies of a notebook: percent format, and Python whatever magics it has."""

import ast

import pytest
from inside.diffs.written import code, markdown, notebook, printed, raw

from workbench.inside.diffs.convert import convert


def script(*cells: dict, **kernel: str) -> str:
    return convert(notebook(*cells, **kernel), "a").script


def test_a_script_is_the_cells_and_nothing_else():
    text = script(
        markdown("# Title\n\nsome *text*"),
        code("x = 1\nprint(x)", printed("1\n"), count=7, collapsed=True, tags=["a"], name="b"),
        raw("as it is"),
        code("def f():\n    pass"),
        code("f()"),
    )
    assert text == (
        "# %% [markdown]\n# # Title\n#\n# some *text*\n\n# %%\nx = 1\nprint(x)\n\n# %% [raw]\n# as it is\n\n"
        "# %%\ndef f():\n    pass\n\n# %%\nf()\n"
    )


MAGICS = [
    ("%matplotlib inline\nx = 1", "# %matplotlib inline\nx = 1"),
    ("!ls -l\nx = 1", "# !ls -l\nx = 1"),
    ("!ls \\\n  -l\nx = 1", "# !ls \\\n#   -l\nx = 1"),
    ("files = !ls\nwhat = %who_ls", "# files = !ls\n# what = %who_ls"),
    ("len?\n?len\nlen??", "# len?\n# ?len\n# len??"),
    ("pip install pandas", "# pip install pandas"),
    ("for name in names:\n    !cat {name}", "for name in names:\n    pass  # !cat {name}"),
    ("%%time\nx = 1", "# %%time\nx = 1"),
    ("%%time\n%run a.py\nx = 1", "# %%time\n# %run a.py\nx = 1"),
    ("%%bash\nls -l\n\nexit 1", "# %%bash\n# ls -l\n#\n# exit 1"),
    ("%%writefile a.txt\nx = 1", "# %%writefile a.txt\n# x = 1"),
    ("%timeit f(1,\n          g(2),\n)\nx = (1,\n2)", "# %timeit f(1,\n#           g(2),\n# )\nx = (1,\n2)"),
    ("!echo '('\nx = 1", "# !echo '('\nx = 1"),
    ("%%sql\nselect *\nfrom a", "# %%sql\n# select *\n# from a"),
    ("%%unheard_of\nlet x", "# %%unheard_of\n# let x"),
    ("%%unheard_of\nx = 1", "# %%unheard_of\nx = 1"),
]


@pytest.mark.parametrize(("source", "expected"), MAGICS, ids=[source.split("\n")[0] for source, _ in MAGICS])
def test_magics_are_comments(source, expected):
    text = script(code(source))
    ast.parse(text)
    assert text == f"# %%\n{expected}\n"


@pytest.mark.parametrize(
    "source",
    [
        'text = """\n%matplotlib inline\n!ls\n"""',
        "rest = (a\n%b)",
        "ls = 3\nls",
        "await answer()",
        "",
    ],
)
def test_what_is_python_stays_as_it_is(source):
    assert script(code(source)) == f"# %%\n{source}".rstrip("\n") + "\n"


def test_a_cell_that_is_not_python_is_shown_as_it_is():
    assert script(code("x = = 1")) == "# %%\nx = = 1\n"


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r", "\r\n", "\0"])
def test_a_script_parses_whatever_ends_a_line_elsewhere(odd):
    ast.parse(script(markdown(f"a{odd}b"), code(f"x = '''a{odd}b'''"), raw(f"a{odd}b")))


def test_half_a_surrogate_pair_can_be_written():
    convert(notebook(code("x = '\ud83d'"), markdown("\ud83d")), "a").script.encode()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("R", "# %% [markdown]\n# a\n\n# %%\nx <- 1\n"),
        ("julia", "# %% [markdown]\n# a\n\n# %%\nx <- 1\n"),
        ("javascript", "// %% [markdown]\n// a\n\n// %%\nx <- 1\n"),
        ("unheard of", "# %% [markdown]\n# a\n\n# %%\n# x <- 1\n"),
    ],
)
def test_other_languages_have_their_own_comments(language, expected):
    assert script(markdown("a"), code("x <- 1"), language=language) == expected


def test_an_image_within_markdown_is_a_name_in_the_script():
    picture = "A" * 4000
    text = script(markdown(f"![a](data:image/png;base64,{picture})"))
    assert text.startswith("# %% [markdown]\n# ![a](attachment:")
    assert len(text) < 80
