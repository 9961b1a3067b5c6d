"""The page among the copies of a notebook: what is shown of what a notebook can hold."""

import json
import re
from pathlib import Path

import pytest
from inside.diffs.written import code, failed, markdown, notebook, png, printed, raw, result, shown, text64

from workbench.inside.diffs import page, text
from workbench.inside.diffs.convert import Converted, Unreadable, convert

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path id="p" d="M0 0h9v9z"/></svg>'


def converted(*cells: dict, name: str = "a") -> Converted:
    return convert(notebook(*cells), name)


def body(*cells: dict) -> str:
    """What is within the page's `<main>`."""
    return converted(*cells).page.partition("<main>\n")[2].partition("</main>")[0]


def output(data: dict) -> str:
    """What is shown of an output, without the cell around it."""
    found = re.search(r'<div class="data">\n(.*)\n</div>\n</section>', body(code("", shown(data))), re.DOTALL)
    return found[1] if found else ""


def test_a_page_says_whose_it_is_and_carries_its_style():
    text = converted(code("1"), name='it\'s <b>"new"').page
    assert "<h1>it&#39;s &lt;b&gt;&#34;new&#34;<span>.ipynb</span></h1>" in text
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 30_000
    assert "<script" not in text
    assert "Content-Security-Policy" in text


def test_the_style_sheet_is_small_and_loads_nothing():
    style = (page.TEMPLATE / "style.css").read_text()
    assert len(style) < 30_000
    assert "url(" not in style
    assert "@import" not in style


def test_code_is_coloured_line_by_line():
    shown_ = body(code("import os\n\n\nx = 'a<b'"))
    assert '<span class="kn">import</span>' in shown_
    assert "&lt;" in shown_
    assert len(shown_.split("<pre>\n")[1].split("\n</pre>")[0].split("\n")) == 4


def test_no_prompts_and_no_counts():
    assert "[7]" not in body(code("x", result({"text/plain": "1"}, count=7), count=7))


def test_raw_cells_are_text():
    assert "&lt;b&gt;" in body(raw("<b>"))


PLACEHOLDERS = [
    ({"application/vnd.plotly.v1+json": {"data": []}}, "interactive plotly figure"),
    ({"application/vnd.bokehjs_exec.v0+json": "", "text/html": "<script>x</script>"}, "interactive bokeh figure"),
    ({"application/vnd.vegalite.v5+json": {}, "text/plain": "alt.Chart(...)"}, "interactive Vega chart"),
    ({"application/javascript": "alert(1)", "text/plain": "<Javascript>"}, "interactive JavaScript output"),
    ({"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "IntSlider(value=3)"},
     "interactive widget IntSlider(value=3)"),
    ({"text/html": "<div id='a'></div><script>Plotly.newPlot('a')</script>"}, "interactive plotly figure"),
    ({"text/html": "<iframe srcdoc='&lt;script src=leaflet.js&gt;'></iframe>"}, "interactive map"),
    ({"text/html": "<canvas></canvas>"}, "interactive output"),
    ({"application/pdf": "JVBERi0="}, "output of type application/pdf"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name"), PLACEHOLDERS, ids=[name for _, name in PLACEHOLDERS])
def test_what_needs_scripts_has_a_named_place(data, name):
    assert output(data) == f'<p class="left-out">{name}: run the notebook to see it</p>'


@pytest.mark.parametrize("data", [data for data, _ in PLACEHOLDERS[:8]], ids=[name for _, name in PLACEHOLDERS[:8]])
def test_a_picture_of_it_is_better(data):
    assert re.fullmatch(r'<img src="a_files/\w{16}.png" alt="[^"]*">', output({**data, "image/png": text64(png())}))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text/html": "<b>a</b>", "text/plain": "no", "image/png": text64(png())}, "<b>a</b>"),
        ({"text/markdown": "**a**", "text/plain": "no"}, "<p><strong>a</strong></p>"),
        ({"text/latex": "$$x^2 < y$$", "text/plain": "no"}, '<pre class="math">\nx^2 &lt; y\n</pre>'),
        ({"application/json": {"é": [1]}}, "<pre>\n{\n  &#34;é&#34;: [\n    1\n  ]\n}\n</pre>"),
        ({"text/plain": "a < b"}, "<pre>\na &lt; b\n</pre>"),
        ({"text/html": "<style>p {}</style>", "text/plain": "<IPython.core.display.HTML object>"}, ""),
        ({"text/html": "<pre class=sk-text-repr-fallback>x</pre>", "text/plain": "a"}, "<pre>\na\n</pre>"),
        ({}, ""),
    ],
)
def test_the_best_form_is_shown(data, expected):
    assert output(data) == expected


def test_images_are_files_by_their_content():
    made = converted(
        code("", shown({"image/png": text64(png(1))}), shown({"image/png": text64(png(1))})),
        code("", shown({"image/png": text64(png(2)), "text/plain": '<Figure "a">'})),
        code("", shown({"image/svg+xml": DRAWING})),
        code("", shown({"image/gif": text64(b"GIF89a")}), shown({"image/webp": text64(b"RIFF0000WEBP")})),
        name="my book",
    )
    assert sorted(Path(each).suffix for each in made.images) == [".gif", ".png", ".png", ".svg", ".webp"]
    referred = re.findall(r'<img src="my%20book_files/([^"]+)"', made.page)
    assert set(referred) == set(made.images)
    assert len(referred) == 6
    assert 'alt="&lt;Figure &quot;a&quot;&gt;"' in made.page


def test_images_of_markdown_are_files():
    made = converted(
        markdown(
            f"![a](attachment:one.png) <img src='attachment:two words.svg'> ![](data:image/png;base64,{text64(png(3))})"
            "![gone](attachment:gone.png) ![far](https://example.org/a.png) ![near](fig/a.png)",
            **{"one.png": {"image/png": text64(png(1))}, "two words.svg": {"image/svg+xml": text64(DRAWING)}},
        )
    )
    assert len(made.images) == 3
    assert all(f"a_files/{name}" in made.page for name in made.images)
    assert 'src="../fig/a.png"' in made.page
    assert "image far (example.org)" in made.page
    assert "image gone" in made.page


@pytest.mark.parametrize(
    "data",
    [
        {"image/png": "no base64 at all!"},
        {"image/png": text64("<script>")},
        {"image/svg+xml": "<svg"},
        {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
        {"image/svg+xml": '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>'},
    ],
)
def test_what_is_no_image_is_no_file(data):
    made = converted(code("", shown(data)))
    assert made.images == {}
    assert "that cannot be shown" in made.page


def test_a_table_of_pandas_is_a_table_with_a_value_per_line():
    table = (
        '<div>\n<style scoped>\n .dataframe tbody tr th {\n vertical-align: top;\n }\n</style>\n<table border="1" '
        'class="dataframe">\n  <thead>\n    <tr style="text-align: right;">\n      <th></th>\n      <th>a</th>\n    '
        "</tr>\n  </thead>\n  <tbody>\n    <tr>\n      <th>0</th>\n      <td>1 &lt; 2</td>\n    </tr>\n  </tbody>\n"
        "</table>\n</div>"
    )
    assert output({"text/html": table}) == (
        '<div>\n<table class="dataframe">\n<thead>\n<tr style="text-align: right">\n<th></th>\n<th>a</th>\n</tr>\n'
        "</thead>\n<tbody>\n<tr>\n<th>0</th>\n<td>1 &lt; 2</td>\n</tr>\n</tbody>\n</table>\n</div>"
    )


def styled(name: str, colour: str = "red") -> str:
    """A table as pandas writes a styled one."""
    return (
        f'<style type="text/css">\n#T_{name} th {{\n  color: white;\n}}\n#T_{name}_row0_col0, #T_{name}_row1_col0 '
        f"{{\n  color: {colour};\n  background-image: url(a.png);\n}}\nbody {{ display: none }}\n</style>\n"
        f'<table id="T_{name}"><tr><th id="T_{name}_level0_row0" class="row_heading">0</th>'
        f'<td id="T_{name}_row0_col0" class="data row0 col0">1</td></tr></table>'
    )


def test_a_styled_table_keeps_its_colours_and_no_names():
    assert output({"text/html": styled("1a2b3")}) == (
        '<table>\n<tr>\n<th style="color: white">0</th>\n<td style="color: red">1</td>\n</tr>\n</table>'
    )
    assert output({"text/html": styled("1a2b3")}) == output({"text/html": styled("ffeed")})


def test_long_texts_lose_their_middle_and_say_so():
    long = "".join(f"line {number}\n" for number in range(20_000))
    shown_ = body(code("", printed(long)))
    assert "line 0\n" in shown_
    assert "line 19999\n" in shown_
    assert "line 10000\n" not in shown_
    left_out = re.search(r'<p class="left-out">([\d,]+) lines \(([\d,]+) characters\) left out</p>', shown_)
    assert left_out
    kept = len(re.findall(r"^line \d+$", shown_, re.MULTILINE))
    assert int(left_out[1].replace(",", "")) + kept == 20_000
    assert len(shown_) < (text.HEAD + text.TAIL) * 1.2


def test_long_html_is_cut_and_stays_whole():
    shown_ = output({"text/html": "<table>" + "<tr><td>1</td></tr>" * 60_000 + "</table>"})
    assert len(shown_) < 500_000
    assert shown_.count("<table>") == shown_.count("</table>") == 1
    assert shown_.count("<td>") == shown_.count("</td>")
    assert re.search(r"[\d,]+ characters of HTML left out", shown_)


def test_printed_text_looks_as_on_a_terminal():
    bar = "\r  0%|     |\r 50%|##   |\r100%|#####|\nnext\r\n"
    assert "<pre>\n100%|#####|\nnext\n</pre>" in body(code("", printed(bar, "stderr")))
    assert '<span class="ansi-red-fg">a&lt;b</span>' in body(code("", printed("\x1b[31ma<b\x1b[0m")))
    assert "<pre>\nlink\n</pre>" in body(code("", printed("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\\x07")))


def test_what_was_printed_in_pieces_is_one():
    pieces = [printed("a\n"), printed("!\n", "stderr"), printed("b\n"), shown({"text/plain": "c"}), printed("d\n")]
    shown_ = re.sub(r"</?(?:section|div)[^>]*>\n|</?pre>\n", "", body(code("", *pieces)))
    assert shown_ == "a\nb\n!\nc\nd\n"


def test_errors_are_readable():
    shown_ = body(
        code("1/0", failed("ZeroDivisionError", "division by zero", "\x1b[0;31mZeroDivisionError\x1b[0m: no"))
    )
    assert '<div class="error">\n<pre>\n<span class="ansi-red-fg">ZeroDivisionError</span>: no\n</pre>' in shown_
    assert "NameError: x" in body(code("x", failed("NameError", "x")))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# A *b* c", '<h1 id="A-b-c">A <em>b</em> c</h1>'),
        ("$x<y$", '<code class="math">x&lt;y</code>'),
        ("$$\nx\n$$", '<code class="math display">x</code>'),
        ("\\begin{align}x\\end{align}", '<code class="math display">\\begin{align}x\\end{align}</code>'),
        ("- [x] a\n- [ ] b", '<li class="task-list-item">☑ a</li>'),
        ("```python\nx = 1\n```", '<span class="o">=</span>'),
        ("```unheard\nx < 1\n```", "<pre>x &lt; 1\n</pre>"),
        ("[a](b/c.ipynb#d)", '<a href="../b/c.ipynb#d" rel="noopener noreferrer">a</a>'),
        ("[a](#there)", '<a href="#there" rel="noopener noreferrer">a</a>'),
        ("<a id='there'></a>", '<a id="there"></a>'),
        ("a & b &lt; &eacute; &amp;amp;", "a &amp; b &lt; é &amp;amp;"),
        ("1 < 2 and <3 <- arrow", "1 &lt; 2 and &lt;3 &lt;- arrow"),
        ("|a|\n|--:|\n|1|", '<td style="text-align: right">1</td>'),
    ],
)
def test_markdown(source, expected):
    assert expected in body(markdown(source))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is not JSON"),
        (b'{"cells": [', "The file is not JSON"),
        (b"\xff\xfe{}", "The file is not UTF-8 text."),
        (b"[]", "no cells"),
        (b"{}", "no cells"),
        (b'{"cells": {}}', "no cells"),
        (b'{"cells": [], "nbformat": 5}', "format 5"),
        (b'{"cells": [], "nbformat": "x"}', "format 'x'"),
        (b'{"worksheets": [{"cells": [{}]}], "nbformat": 3, "metadata": {}}', "old format 3"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_notebook_is_said(content, reason):
    with pytest.raises(Unreadable, match=re.escape(reason)) as caught:
        convert(content, "a")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "cell",
    [
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 1, "outputs": {"a": 1}},
        {"cell_type": "code", "source": ["a", 1, "b"], "outputs": [1, {}, {"output_type": "stream"}, {"data": []}]},
        {"cell_type": "code", "source": "", "outputs": [{"output_type": "error"}, {"data": {"text/html": 1}}]},
        {"cell_type": "markdown", "source": "![](attachment:a)", "attachments": {"a": 1, "b": {"image/png": 1}}},
        {"cell_type": "unheard", "source": "x"},
        "a",
        None,
    ],
)
def test_what_is_wrong_with_a_cell_does_not_lose_the_others(cell):
    made = converted(cell, markdown("the other"))
    assert "<p>the other</p>" in made.page
    assert "the other" in made.script


def test_notebooks_of_old_formats_are_read():
    heading = {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Old"]}
    picture = {"output_type": "pyout", "prompt_number": 3, "png": text64(png()), "metadata": {}}
    cell = {"cell_type": "code", "input": ["print(1)"], "language": "python", "outputs": [picture], "metadata": {}}
    old = {"worksheets": [{"cells": [heading, cell]}], "metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0}
    made = convert(json.dumps(old).encode(), "a")
    assert "Old</h1>" in made.page
    assert "print(1)" in made.script
    assert len(made.images) == 1


def test_a_byte_order_mark_is_no_harm():
    assert "<p>a</p>" in convert(b"\xef\xbb\xbf" + notebook(markdown("a")), "a").page
