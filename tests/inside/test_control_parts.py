"""The parts of the panel's half that need no server: listeners, the log's overlap, kernelspec names, packages."""

import asyncio
from pathlib import Path

import pytest

from workbench.inside.control import board, packages
from workbench.inside.control.listeners import ROOM, Listener, Listeners, fresh
from workbench.inside.place import Place


def test_a_listener_that_does_not_read_is_dropped_and_the_others_are_not() -> None:
    async def tell() -> tuple[list[str], int]:
        dropped: list[str] = []
        listeners = Listeners()
        idle, busy = (Listener(False, lambda name=name: dropped.append(name)) for name in ("idle", "busy"))
        heard = 0
        with listeners.added(idle), listeners.added(busy):
            for number in range(ROOM + 1):
                listeners.tell("change", {"number": number})
                heard += await busy.next() is not None
        return dropped, heard

    assert asyncio.run(tell()) == (["idle"], ROOM + 1)


def test_the_last_word_is_waited_for_but_not_for_ever() -> None:
    async def end() -> list[bytes | None]:
        listeners = Listeners()
        reader, sleeper = Listener(False, print), Listener(False, print)

        async def read() -> list[bytes | None]:
            with listeners.added(reader):
                return [await reader.next(), await reader.next()]

        with listeners.added(sleeper):
            task = asyncio.ensure_future(read())
            await asyncio.sleep(0)
            listeners.tell("leaving", {"action": None})
            await listeners.end(0.5)
            return await task

    assert asyncio.run(end()) == [b'event: leaving\ndata: {"action":null}\n\n', None]


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ("", "", ""),
        ("", "ab", "ab"),
        ("ab", "ab", ""),
        ("ab", "abc", "c"),
        ("abc", "bcd", "d"),
        ("aa", "aaa", "a"),
        ("abab", "ababab", "ab"),
        ("abc", "xyz", "xyz"),
        ("abc", "", ""),
    ],
)
def test_new_lines_are_what_follows_the_overlap(before: str, now: str, new: str) -> None:
    assert fresh(list(before), list(now)) == list(new)


@pytest.mark.parametrize(
    ("device", "gpus", "names"),
    [
        ("cpu", "", {"cpu": "python3", "gpu": None}),
        ("cpu", "all", {"cpu": "python3", "gpu": "python3-gpu"}),
        ("gpu", "0", {"cpu": "python3-cpu", "gpu": "python3"}),
    ],
)
def test_the_selected_device_has_jupyters_own_name(device: str, gpus: str, names: dict[str, str | None]) -> None:
    place = Place("demo", Path("/p"), Path("/r"), None, device="gpu" if device == "gpu" else "cpu", gpus=gpus)
    assert board.device(place, {})["kernels"] == names


def test_packages_by_hand_are_those_that_differ_from_the_first_list(tmp_path: Path) -> None:
    def add(*folders: str) -> None:
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)

    site, gpu = "lib/python3.12/site-packages", "devices/gpu/lib/python3.12/site-packages"
    add(f"{site}/Foo_Bar-1.0.dist-info", f"{gpu}/torch-2.5.1+cu124.dist-info", f"{site}/foo_bar")
    assert packages.by_hand(tmp_path) == []
    packages.remember(tmp_path)
    assert packages.installed(tmp_path) == {"foo-bar": "1.0", "torch": "2.5.1+cu124"}
    add(f"{gpu}/triton-3.0.dist-info")
    packages.remember(tmp_path)
    assert packages.by_hand(tmp_path) == [{"name": "triton", "version": "3.0"}]


def test_an_environment_that_nobody_can_write_is_no_error(tmp_path: Path) -> None:
    packages.remember(tmp_path / "missing")
    assert packages.by_hand(tmp_path / "missing") == []
