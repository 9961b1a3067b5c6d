"""Environments of devices: thin over the shared one, each with its own packages; what cannot be had is said."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workbench.inside import environment, launchers, overlays, uv
from workbench.inside.lacking import lacking_requirements


def table(*packages: str, index: str | None = None, backend: str | None = None) -> dict[str, object]:
    return {"packages": packages, "index": index, "torch-backend": backend}


def make(
    shared: Path, folder: Path, cpu: dict[str, object], gpu: dict[str, object]
) -> "subprocess.CompletedProcess[str]":
    """Run the script as a build does."""
    folder.mkdir(exist_ok=True)
    (folder / "devices.json").write_text(json.dumps({"cpu": cpu, "gpu": gpu}))
    argv = [sys.executable, "-P", "-m", overlays.__name__, str(folder), str(folder / "devices.json"), str(shared)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def shared_environment(folder: Path, requirements: str, *options: str) -> Path:
    (folder / "dependencies").mkdir()
    (folder / "dependencies" / "requirements.txt").write_text(requirements)
    assert environment.main([str(folder / "dependencies"), str(folder / "shared"), *options]) == 0
    return folder / "shared"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared environment without six, though it is asked for twice, and those of the devices, which have it."""
    folder = tmp_path_factory.mktemp("overlays")
    requirements = "six==1.15.0\npython-dateutil==2.8.2\npytest\ntoml==0.10.1\n"
    shared = shared_environment(folder, requirements, "--python", sys.executable, "--apart", "six")
    gpu = table("six==1.17.0", "cowsay==6.1", "toml==0.10.1", "python-dateutil")
    done = make(shared, folder / "made", table("six==1.16.0"), gpu)
    assert done.returncode == 0, done.stdout + done.stderr
    return shared


def run(*argv: object) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def packages(venv: Path) -> set[str]:
    """What is installed in an environment itself."""
    return {path.name.removesuffix(".dist-info") for path in uv.site_packages(venv).glob("*.dist-info")}


def test_each_device_has_its_own_version_and_shares_the_rest(made: Path) -> None:
    code = "import six, dateutil.tz, sys; print(six.__version__, dateutil.__file__, sys.prefix)"
    dateutil = uv.site_packages(made) / "dateutil" / "__init__.py"
    found = {kind: run(made / "devices" / kind / "bin" / "python", "-c", code) for kind in ("cpu", "gpu")}
    assert found == {
        "cpu": f"1.16.0 {dateutil} {made}/devices/cpu",
        "gpu": f"1.17.0 {dateutil} {made}/devices/gpu",
    }


def test_only_what_the_shared_environment_lacks_is_installed_and_compiled(made: Path) -> None:
    assert packages(made / "devices" / "cpu") == {"six-1.16.0"}
    assert packages(made / "devices" / "gpu") == {"six-1.17.0", "cowsay-6.1"}
    assert not [name for name in packages(made) if name.startswith("six-")]
    assert {"ipykernel", "pip"} <= {name.partition("-")[0] for name in packages(made)}
    assert list(uv.site_packages(made / "devices" / "gpu").glob("__pycache__/six.*.pyc"))


def test_programs_of_the_shared_environment_run_in_that_of_the_device(made: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import sys, six\n\ndef test(): assert 0, (sys.prefix, six.__version__)\n")
    bin = made / "devices" / "gpu" / "bin"
    done = subprocess.run([bin / "pytest", tmp_path], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert f"('{made}/devices/gpu', '1.17.0')" in done.stdout
    assert f"{made}/lib" in run(bin / "pip", "--version")
    assert not (bin.parent.parent / "cpu" / "bin" / "cowsay").exists()


def test_what_pip_installs_lands_in_the_environment_of_the_device(made: Path) -> None:
    cpu = made / "devices" / "cpu"
    before = packages(made)
    run(cpu / "bin" / "pip", "install", "--quiet", "iniconfig==1.1.1", "colorama==0.4.6")
    try:
        assert packages(cpu) == {"six-1.16.0", "iniconfig-1.1.1", "colorama-0.4.6"}
        assert packages(made) == before
        assert (
            run(cpu / "bin" / "python", "-c", "import importlib.metadata as m; print(m.version('iniconfig'))")
            == "1.1.1"
        )
    finally:
        run(cpu / "bin" / "pip", "uninstall", "--quiet", "-y", "iniconfig", "colorama")


def test_they_work_where_the_shared_environment_is_moved_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_VENV_RELOCATABLE", "1")
    shared = shared_environment(tmp_path, "", "--python", sys.executable)
    assert make(shared, tmp_path / "made", table("six==1.16.0"), table()).returncode == 0
    moved = shared.rename(tmp_path / "elsewhere")
    gpu = moved / "devices" / "gpu" / "bin"
    assert packages(moved / "devices" / "gpu") == set()
    assert str(moved) in run(gpu / "python", "-c", "import ipykernel; print(ipykernel.__file__)")
    assert str(moved) in run(gpu / "pip", "--version")


def test_a_live_install_is_seen_by_all_devices(made: Path, tmp_path: Path) -> None:
    text = '[project]\nname = "sample"\nversion = "1"\nscripts.say-six = "sample:main"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "sample.py").write_text("import six\n\ndef main(): print(six.__version__)\n")
    uv.install(tmp_path, made, "--quiet", "--no-deps", "--editable", str(tmp_path))
    launchers.refresh(made)
    assert [run(made / "devices" / kind / "bin" / "say-six") for kind in ("cpu", "gpu")] == ["1.16.0", "1.17.0"]
    uv.uv(tmp_path, "pip", "uninstall", "--quiet", "--python", str(uv.interpreter(made)), "sample")
    launchers.refresh(made)
    assert not (made / "devices" / "cpu" / "bin" / "say-six").exists()
    assert (made / "devices" / "cpu" / "bin" / "pytest").exists()


@pytest.mark.parametrize(
    ("gpu", "words", "hint"),
    [
        (table("no-such-thing-at-all"), "no-such-thing-at-all was not found", "its `index` names a further"),
        (table("cowsay==0.0.1"), "cowsay==0.0.1", "Correct `packages` in [tool.workbench.gpu]"),
        (
            table("toml==0.10.2"),
            "Because you require toml==0.10.2 and toml==0.10.1",
            "toml is fixed to 0.10.1 by the shared environment: ask for what fits it in [tool.workbench.gpu], for",
        ),
        (table("six<1.5"), "python-dateutil==2.8.2", "python-dateutil is fixed to 2.8.2 by the shared environment"),
        (table("six", index="http://127.0.0.1:9/simple"), "127.0.0.1:9", "A package index did not answer"),
        (table("ipykernel<5"), "ipykernel<5", "ipykernel is fixed to"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_names_environment_package_and_way_out(
    made: Path, tmp_path: Path, gpu: dict[str, object], words: str, hint: str
) -> None:
    shared = copy_of(made, tmp_path)
    done = make(shared, tmp_path / "made", table(), gpu)
    assert done.returncode == 1
    *said, error, last = done.stdout.splitlines()
    assert error == "error: The GPU environment cannot be made."
    assert last.startswith("hint: ") and hint in last
    start = next(number for number, line in enumerate(said) if line.startswith("The GPU environment: "))
    assert words in " ".join(said[start + 1 :])
    assert len(said) - start <= overlays.LINES + 1
    assert done.stderr == ""


def copy_of(made: Path, folder: Path) -> Path:
    """The shared environment as it was before there were devices: its packages are those of `made`."""
    uv.uv(folder, "venv", "--quiet", "--python", sys.executable, str(folder / "shared"))
    file = uv.site_packages(folder / "shared") / "made.pth"
    file.write_text(f"{uv.site_packages(made)}\n")
    return folder / "shared"


def test_packages_that_come_with_an_image_are_had(tmp_path: Path) -> None:
    system = tmp_path / "system"
    uv.uv(tmp_path, "venv", "--quiet", "--python", sys.executable, str(system))
    uv.install(tmp_path, system, "--quiet", "toml==0.10.1", "six==1.15.0")
    shared = copy_of(system, tmp_path)
    assert make(shared, tmp_path / "made", table("toml", "six==1.16.0"), table("six==1.17.0")).returncode == 0
    assert packages(shared / "devices" / "cpu") == {"six-1.16.0"}
    assert run(shared / "devices" / "gpu" / "bin" / "python", "-c", "import six; print(six.__version__)") == "1.17.0"


def test_what_the_shared_environment_lives_without_is_no_conflict(tmp_path: Path) -> None:
    uv.uv(tmp_path, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "shared"))
    stated = {"needs-more": ["no-such-thing-for-workbench", "toml>5"], "toml": [], "from.elsewhere": ["six>=1.16"]}
    for name, requires in stated.items():
        folder = uv.site_packages(tmp_path / "shared") / f"{name.replace('-', '_')}-1.0+here.dist-info"
        folder.mkdir()
        lines = [f"Requires-Dist: {each}" for each in requires]
        text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0+here", *lines, "", "Text"])
        (folder / "METADATA").write_text(text)
    done = make(tmp_path / "shared", tmp_path / "made", table("six<1.17"), table("six<1.16"))
    assert done.returncode == 1 and "hint: from-elsewhere is fixed to 1.0+here" in done.stdout
    assert packages(tmp_path / "shared" / "devices" / "cpu") == {"six-1.16.0"}


def test_another_build_of_the_same_version_is_another_package(tmp_path: Path) -> None:
    have = {"torch": overlays.Distribution.at(dist_info(tmp_path, "torch", "2.9.0+cpu"))}
    overlay = overlays.Overlay("gpu", table("torch"), tmp_path, frozenset())
    others = ("torch==2.9.0", "torch==2.9.0+cu128", "torch @ https://example.org/torch-2.9.0+cpu.whl", "six==1")
    assert overlays.has(have, "torch==2.9.0+cpu")
    assert not [pin for pin in others if overlays.has(have, pin)]
    assert overlays.pinned("torch", "2.9.0+cpu", overlay) == "2.9.0"
    assert overlays.pinned("numpy", "2.9.0+cpu", overlay) == "2.9.0+cpu"


def dist_info(folder: Path, name: str, version: str) -> Path:
    path = folder / f"{name}-{version}.dist-info"
    path.mkdir()
    (path / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return path


def wheel(folder: Path) -> Path:
    """A package with one empty module."""
    path = folder / "pebble-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: pebble\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"METADATA": metadata, "WHEEL": kind, "RECORD": "pebble.py,,\n"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pebble.py", "")
        for name, text in files.items():
            archive.writestr(f"pebble-1.0.dist-info/{name}", text)
    return path


def test_a_package_may_come_from_a_url(made: Path, tmp_path: Path) -> None:
    shared, wanted = copy_of(made, tmp_path), f"pebble @ {wheel(tmp_path).as_uri()}"
    # The second one has it from uv's cache.
    done = make(shared, tmp_path / "made", table(wanted), table(wanted))
    assert done.returncode == 0, done.stdout
    assert packages(shared / "devices" / "gpu") == {"pebble-1.0"}
    assert packages(shared / "devices" / "cpu") == {"pebble-1.0"}


def test_what_uv_is_told_about_indexes_and_drivers() -> None:
    gpu = {**table("torch", index="https://example.org/simple", backend="auto"), "driver": "570"}
    overlay = overlays.Overlay("gpu", gpu, Path("/x"), frozenset())
    assert overlay.options == [
        "--index", "https://example.org/simple", "--index-strategy", "unsafe-first-match", "--torch-backend", "auto",
    ]  # fmt: skip
    assert overlay.environ == {"UV_CUDA_DRIVER_VERSION": "570"}


LONG = "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''\nx"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("#!/base/bin/python\nx", "#!/over/bin/python\nx"),
        ("#!/base/bin/python3.11 -s\nx", "#!/over/bin/python3.11 -s\nx"),
        (LONG.format('"/base/bin/python3"'), LONG.format('"/over/bin/python3"')),
        (LONG.format("'/base/bin/python3'"), LONG.format("'/over/bin/python3'")),
        (LONG.format("/base/bin/python"), LONG.format("/over/bin/python")),
        ("#!/usr/bin/python3\nx", None),
        ("#!/usr/bin/env python\nx", None),
        ("#!/bin/sh\necho /base/bin/python\n", None),
        ("\x7fELF", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_console_script_gets_the_interpreter_of_the_device(tmp_path: Path, text: str, wanted: str | None) -> None:
    file = tmp_path / "program"
    file.write_text(text)
    found = launchers.launcher(file, Path("/base/bin"), Path("/over/bin"))
    assert found == (wanted.encode() if wanted else None)


def test_a_console_script_of_the_device_s_own_package_stays(tmp_path: Path) -> None:
    shared, device = tmp_path, tmp_path / "devices" / "cpu"
    for venv in (shared, device):
        (venv / "bin").mkdir(parents=True)
        (venv / "lib" / "python3.13" / "site-packages").mkdir(parents=True)
        (venv / "bin" / "tool").write_text(f"#!{venv}/bin/python\n# of {venv.name}\n")
    dist_info(uv.site_packages(device), "tool", "1")
    record = uv.site_packages(device) / "tool-1.dist-info" / "RECORD"
    record.write_text("tool.py,,\n../../../bin/tool,sha256=x,1\n")
    launchers.refresh(shared)
    assert (device / "bin" / "tool").read_text() == f"#!{device}/bin/python\n# of cpu\n"
    record.unlink()
    launchers.refresh(shared)
    assert (device / "bin" / "tool").read_text() == f"#!{device}/bin/python\n# of {shared.name}\n"


def test_what_the_devices_bring_is_not_lacking(made: Path, tmp_path: Path) -> None:
    text = '[project]\nname = "sample"\nversion = "1"\ndependencies = ["Six>=9", "cowsay", "toml>0.10.1", "pytest"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "sample.py").write_text("")
    shared = copy_of(made, tmp_path)
    uv.install(tmp_path, shared, "--quiet", "--no-deps", "--editable", str(tmp_path))
    own = [uv.site_packages(venv) for venv in launchers.devices(made)]
    found = lacking_requirements(uv.site_packages(shared), tmp_path, own)
    assert found == ["toml>0.10.1", "pytest"]
