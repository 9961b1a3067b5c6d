"""What a panel says where nothing can draw it: lines, and a card of HTML."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from support.panel import NOW, document, service

from workbench.notebook import text

GPU = {"index": 0, "name": "NVIDIA L4", "memory": 24_000_000_000, "memory_used": 3_000_000_000, "load": 0.5}
GONE = {"connected": False, "why": "Nobody answers.", "hint": "workbench panel --repair"}
NEVER: list[Any] = [
    {"workbench": {**document()["workbench"], **dict.fromkeys(("dock", "image", "image_created", "started"))}},
    {"usage": None},
    {"usage": dict.fromkeys(document()["usage"])},
    {"agent": GONE, "device": {**document()["device"], "possible": None, "why": None}},
    {"diffs": {"on": True, "last_written": None, "pending": 0, "warnings": {}}},
    {"gpus": [{**GPU, "memory": None, "memory_used": None, "load": None}]},
]


def rows(**more: Any) -> dict[str, str]:
    return dict(text.rows(document(**more)))


def test_a_table_has_the_name_and_a_line_for_each_thing_there_is():
    lines = text.table(document()).splitlines()
    assert lines[0] == "Workbench tides-1a2b3c"
    assert lines[1:-1] == [
        "  Engine   docker 20.10",
        "  Device   CPU",
        "  Image    tides-notebook:me, made 2 h 0 min ago",
        "  Running  for 2 min 5 s",
        "  CPU      0.31 cores of 2 in use",
        "  Memory   123 MB of 4.0 GB",
        "  Kernels  1, 1 busy",
        "  Diffs    on, last written 1 min 0 s ago",
    ]
    assert re.fullmatch(r"  As of    2023-11-1\d \d\d:\d\d:20", lines[-1])


@pytest.mark.parametrize(
    ("more", "label", "value"),
    [
        ({"gpus": [GPU]}, "Device", "CPU; GPU at hand: NVIDIA L4, 3.0 GB of 24.0 GB, 50% busy"),
        (
            {"gpus": [GPU], "device": {**document()["device"], "selected": "gpu"}},
            "Device",
            "GPU: NVIDIA L4, 3.0 GB of 24.0 GB, 50% busy",
        ),
        (
            {"device": {**document()["device"], "possible": False, "why": "No driver."}},
            "Device",
            "CPU (No driver.)",
        ),
        ({"packages": [{"name": "requests", "version": "2.32"}]}, "Installed", "requests 2.32"),
        ({"changes": ["a changed", "b changed"]}, "Changed", "a changed; b changed"),
        ({"action": {"verb": "rebuild", "text": "building the image: 3/7"}}, "Doing", "building the image: 3/7"),
        ({"agent": GONE}, "Control", "Nobody answers. workbench panel --repair"),
        ({"diffs": {"on": False, "last_written": NOW, "pending": 0, "warnings": {}}}, "Diffs", "off"),
        ({"kernels": []}, "Kernels", "none"),
        (
            {
                "services": [
                    service("db", health="healthy"),
                    service("cache"),
                    service("mlflow", health="starting"),
                    service("queue", state="stopped", exit_code=137),
                    service("init", state="stopped", exit_code=0),
                    service("old", state="gone"),
                    service("far", state=None),
                ]
            },
            "Services",
            "db (healthy), cache (running), mlflow (starting), queue (exit code 137), init (stopped), old (gone), "
            "far (unknown)",
        ),
    ],
)
def test_what_is_special_has_words(more, label, value):
    assert rows(**more)[label] == value


@pytest.mark.parametrize("more", NEVER)
def test_what_is_not_known_is_left_out(more):
    assert "None" not in text.table(document(**more))
    assert "None" not in text.html(document(**more))


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>"


def evil(value: Any) -> Any:
    """The same document with every text replaced."""
    if isinstance(value, dict):
        return {key: evil(each) for key, each in value.items()}
    if isinstance(value, list):
        return [evil(each) for each in value]
    return EVIL if isinstance(value, str) else value


def test_everything_in_a_card_is_text():
    full = document(
        gpus=[GPU],
        packages=[{"name": "a", "version": "1"}],
        changes=["x"],
        action={"text": "x"},
        agent=GONE,
        services=[service("db")],
    )
    for page in (text.html(evil(full)), text.html_note(EVIL)):
        found = Tags(page)
        assert found.tags <= {"div", "table", "tr", "td"}
        assert found.attributes == {"style"}
        assert EVIL in found.text
