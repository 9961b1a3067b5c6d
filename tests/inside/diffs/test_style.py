"""CSS that comes with outputs: what is kept of it."""

import pytest

from workbench.inside.diffs.style import declarations, rules


@pytest.mark.parametrize(
    "kept",
    [
        "color: red",
        "background-color: #ff00aa",
        "color: rgb(1, 2, 3)",
        "background: linear-gradient(90deg, #d65f5f 50.0%, transparent 50.0%)",
        "width: 10em; height: 80%",
        "display: none",
    ],
)
def test_colours_and_sizes_are_kept(kept):
    assert declarations(kept) == kept


def test_one_form_whatever_the_spaces():
    assert declarations(" COLOR :red ;;\n border:1px\tsolid  red;") == "color: red; border: 1px solid red"


@pytest.mark.parametrize(
    "left_out",
    [
        "background: url(a.png)",
        "background: url (a.png)",
        "background: u\\72l(a.png)",
        "background: URL(a.png)",
        "background: image-set('a.png' 1x)",
        "background: 'a.png'",
        "background: red /* ; */",
        "background: red } body { color: red",
        "background: red !important",
        "color: expression(alert(1))",
        "color: var(--page)",
        "color: (red)",
        "position: fixed",
        "margin: -100px",
        "z-index: 9",
        "font-family: f",
        "behavior: a",
        "-moz-binding: a",
        "color",
        "color:",
        "@import 'a.css'",
    ],
)
def test_what_loads_or_covers_is_left_out(left_out):
    assert declarations(left_out) == ""
    assert declarations(f"color: red; {left_out}; width: 1px").startswith("color: red")


def test_rules_are_for_named_elements_only():
    sheet = (
        "#T_a_row0_col0, #T_a_row1_col0 { color: red } #T_a th { width: 1px } #T_a_row0_col0 { width: 2px }"
        "body { display: none } #T_a, body { color: blue } #T_a > * { color: red } #T_a:hover { color: red }"
        "@media print { #T_b { color: red } } .dataframe td { color: red } #T_c { position: fixed }"
    )
    assert rules(sheet) == {
        ("T_a_row0_col0", ""): "color: red; width: 2px",
        ("T_a_row1_col0", ""): "color: red",
        ("T_a", "th"): "width: 1px",
        ("T_a", ""): "color: blue",
    }
