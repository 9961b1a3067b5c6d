"""Values to text: what a person reads."""

import json
from dataclasses import replace

import pytest

from workbench import show
from workbench.errors import EngineError, WorkbenchError
from workbench.model import Endpoint, Event, Gpu, Running, Stats


def test_an_error_says_what_happened_and_what_to_do():
    text = show.error(EngineError("Port 8888 is taken.", "Choose another one with --port."))
    assert text == "Error: Port 8888 is taken.\n→ Choose another one with --port."


@pytest.mark.parametrize("length", [0, 3, 50])
@pytest.mark.parametrize("message", ["It failed.", "It failed.\n" * 40])
def test_an_error_never_takes_more_than_ten_lines_and_keeps_its_hint(length, message):
    failure = EngineError(message, "Do this.", detail=[f"line {number}" for number in range(length)])
    lines = show.error(failure).splitlines()
    assert len(lines) <= 10
    assert lines[-1] == "→ Do this."
    assert (f"  | line {length - 1}" in lines) == (length > 0 and message == "It failed.")


def test_an_error_for_a_program_is_one_document():
    document = json.loads(show.error_json(WorkbenchError("No.", "Yes.", detail=["a"])))
    assert document == {"error": "No.", "hint": "Yes.", "detail": ["a"], "exit_code": 70}


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (7.2e12, "7.2 TB")],
)
def test_size(number, text):
    assert show.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.44, "0.4 s"), (42.4, "42 s"), (125, "2 min 5 s"), (10_920, "3 h 2 min"), (350_000, "4 d 1 h")],
)
def test_duration(seconds, text):
    assert show.duration(seconds) == text


def test_a_table_is_as_wide_as_it_needs():
    assert show.table(("A", "B"), [("long word", "x"), ("y", "z")]) == "A          B\nlong word  x\ny          z"


def test_a_table_keeps_all_that_it_says_in_a_narrow_terminal():
    head, path = show.PS_HEAD, "/home/ada/projects/a-long-name/with spaces/analysis"
    row = ("analysis-1f0c9a7b", "running (starting)", "docker on gpubox", "cpu (gpu ready)", "8888", "12 min", path)
    shown = show.table(head, [row], 80).splitlines()
    assert all(len(line) <= 80 for line in shown) and shown[0].startswith("NAME ")
    # The name is what one types again: it stays whole. Everything else is there as well.
    assert sum(line.startswith("analysis-1f0c9a7b  ") for line in shown) == 1
    assert sorted("".join(shown).replace(" ", "")) == sorted("".join((*head, *row)).replace(" ", ""))
    assert show.table(head, [row], 200) == show.table(head, [row])
    # Where that cannot be, the name gives way, too.
    assert max(map(len, show.table(head, [("a" * 47, *row[1:])], 80).splitlines())) == 80


def test_an_event_is_a_line_or_nothing():
    assert show.event(Event("step", "install dependencies", step="3")) == "  install dependencies …"
    assert show.event(Event("done", "install dependencies", step="3", seconds=2.04)) == "  install dependencies (2.0 s)"
    assert show.event(Event("progress", step="3", done=1, total=2)) is None


RUNNING = Running(
    id="id",
    name="analysis-3fa9c1",
    container="workbench-analysis-3fa9c1",
    project="/home/ada/analysis",
    engine="docker",
    state="running",
    port=21234,
    image="analysis-notebook:ada",
    plan="d1",
    health="starting",
    started=1000.0,
)


def test_a_workbench_as_a_row():
    assert show.ps_row(RUNNING, now=1125.0) == (
        "analysis-3fa9c1", "running (starting)", "docker", "cpu", "21234", "2 min 5 s", "/home/ada/analysis",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("device", "gpus", "cell", "words"),
    [
        ("cpu", "", "cpu", "CPU"),
        ("cpu", "all", "cpu (gpu ready)", "CPU; GPU ready"),
        ("gpu", "all", "gpu", "GPU"),
        ("gpu:0,1", "0,1", "gpu:0,1", "GPU 0,1"),
    ],
)
def test_what_a_workbench_computes_with(device, gpus, cell, words):
    running = replace(RUNNING, device=device, gpus=gpus)
    assert show.ps_row(running)[show.PS_HEAD.index("DEVICE")] == cell
    assert show.computes(running) == words


GPU = Gpu(0, "GPU-1", "NVIDIA A10", memory=24_000_000_000, memory_used=3_100_000_000, load=0.12)


@pytest.mark.parametrize(
    ("gpus", "text"),
    [
        (None, "-"),
        ((), "-"),
        ((GPU,), "12% · 3.1 GB / 24.0 GB"),
        ((GPU, Gpu(1, "GPU-2", "NVIDIA A10")), "0: 12% · 3.1 GB / 24.0 GB, 1: - · - / -"),
    ],
)
def test_gpus_with_load_and_memory(gpus, text):
    assert show.gpus_cell(gpus) == text


def test_gpus_for_a_program():
    assert show.gpus_json(None) is None
    assert show.gpus_json([GPU]) == [
        {
            "index": 0,
            "uuid": "GPU-1",
            "name": "NVIDIA A10",
            "memory": 24_000_000_000,
            "memory_used": 3_100_000_000,
            "load": 0.12,
        }
    ]


def test_a_workbench_for_a_program_has_every_promised_field():
    endpoint = Endpoint("http://analysis-3fa9c1.localhost:21234/lab?token=t", "http://127.0.0.1:21234/", "t")
    document = show.running_json(RUNNING, endpoint)
    assert list(document) == [
        "name", "project", "engine", "dock", "device", "image", "container",
        "port", "url", "api_url", "token", "status",
    ]  # fmt: skip
    assert document["status"] == "running"
    assert document["container"] == "workbench-analysis-3fa9c1"


def test_stats_carry_units():
    cells = show.stats_cells(Stats(cpu=0.5, memory=200_000_000, memory_limit=None, pids=7, net_in=0, net_out=1500))
    assert cells == ("0.50 cores", "200 MB", "7", "0 B / 1.5 kB", "- / -")
