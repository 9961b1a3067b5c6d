"""CPU and GPU as a person meets them: kernels, shells, figures, refusals. A stand-in plays the GPU."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.person import Environment, MakePerson, Person, Workbench
from support.require import require

from user.test_projects import cells

LAUNCH = ("run-notebook", "-d", "--no-browser")
EXAMPLE = Path(__file__).parents[2] / "notebooks/05-cpu-and-gpu"
CONTAINERS = ("docker", "podman")
SMI = "import shutil; print(shutil.which('nvidia-smi'))"
CUDA = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES', 'as it is'))"


def with_gpu(me: Person) -> Environment:
    """A machine with a driver and the container toolkit, which stand-ins play."""
    return {"PATH": os.pathsep.join((require("nvidia"), me.environment({})["PATH"]))}


def example(me: Person) -> Path:
    """A copy of the example with two environments."""
    root = me.projects / "either"
    shutil.copytree(EXAMPLE, root)
    me.give(root)
    return root


def kernels(bench: Workbench) -> dict[str, str]:
    """Names of the kernels that can be chosen -> what they are called in the list."""
    found = bench.jupyter.call("GET", "api/kernelspecs")["kernelspecs"]
    return {name: spec["spec"]["display_name"] for name, spec in found.items()}


def run(bench: Workbench, device: str, *code: str) -> str:
    """Code in the kernel of a device."""
    name = next(name for name, title in kernels(bench).items() if f"({device.upper()})" in title)
    with bench.jupyter.kernel(name) as kernel:
        return "".join(kernel.run(each).ok() for each in code)


@pytest.mark.parametrize("engine", CONTAINERS)
def test_a_container_has_the_gpu_when_asked_and_only_then(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project, env = me.project("notebooks-only"), with_gpu(me)

    bench = me.launch(project, "--gpu", env=env)
    assert kernels(bench) == {"python3": "Python (GPU)", "python3-cpu": "Python (CPU)"}
    assert bench.jupyter.run(SMI, CUDA).split("\n")[0].endswith("nvidia-smi")
    assert "GPU 0: " in bench.jupyter.run("!nvidia-smi -L")
    assert run(bench, "cpu", CUDA) == "\n"
    assert [each["device"] for each in me.listed()] == ["gpu"]

    bench = me.launch(project, "--cpu", "--restart", env=env)
    assert kernels(bench) == {"python3": "Python (CPU)"}
    assert bench.jupyter.run(SMI) == "None\n"
    assert [each["device"] for each in me.listed()] == ["cpu"]


@pytest.mark.parametrize("engine", [*CONTAINERS, "local"])
def test_auto_starts_on_the_cpu_with_the_gpu_at_hand(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project, env = me.project("notebooks-only"), with_gpu(me)
    started = me.run(*LAUNCH, cwd=project, env=env).ok()
    assert f"({engine}, CPU; GPU ready)" in started.err
    bench = me.launch(project, env=env)
    assert kernels(bench) == {"python3": "Python (CPU)", "python3-gpu": "Python (GPU)"}
    assert bench.jupyter.run(CUDA) == "\n"
    assert "GPU 0: " in run(bench, "gpu", "!nvidia-smi -L")
    assert "cpu (gpu ready)" in me.run("workbench", "ps").ok().out


def test_chosen_gpus_of_a_machine(somebody: MakePerson) -> None:
    me = somebody("local")
    bench = me.launch(me.project("notebooks-only"), "--device", "gpu:0", env=with_gpu(me))
    assert bench.jupyter.run(CUDA) == "0\n"
    assert me.listed()[0]["device"] == "gpu:0"
    assert [gpu["index"] for gpu in me.run("workbench", "stats", "--json", env=with_gpu(me)).json()[0]["gpus"]] == [0]


@pytest.mark.parametrize("engine", [*CONTAINERS, "local"])
def test_a_gpu_that_cannot_be_had(engine: str, somebody: MakePerson) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU to be had")
    me = somebody(engine)
    project = me.project("notebooks-only")
    text = me.run(*LAUNCH, "--gpu", cwd=project).fails(4)
    assert "NVIDIA" in text and "--cpu" in text
    assert not me.containers() and not me.listed()
    quiet = me.run(*LAUNCH, cwd=project).ok()
    assert "GPU" not in quiet.err, quiet.err
    assert f"({engine}, CPU)" in quiet.err
    told = me.run("workbench", "doctor", "--json").ok().json()
    assert all(each["ok"] for each in told if each["what"].startswith("GPU"))


@pytest.mark.parametrize("engine", [*CONTAINERS, "local"])
def test_a_gpu_that_is_not_there(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    text = me.run(*LAUNCH, "--device", "gpu:9", cwd=me.project("notebooks-only"), env=with_gpu(me)).fails(4)
    assert "9" in text
    assert not me.containers() and not me.listed()


@pytest.mark.parametrize("device", ["tpu", "gpu:", "cpu:0", "gpu:0,,1"])
def test_a_device_that_does_not_exist(device: str, somebody: MakePerson) -> None:
    me = somebody("local")
    text = me.run(*LAUNCH, "--device", device, cwd=me.project("notebooks-only")).fails(2)
    assert repr(device) in text and "gpu:0,1" in text


def test_doctor_and_figures(somebody: MakePerson) -> None:
    me = somebody("docker")
    env = with_gpu(me)
    told = {each["what"]: each for each in me.run("workbench", "doctor", "--json", env=env).ok().json()}
    assert told["NVIDIA driver"]["ok"] and told["GPU 0"]["ok"] and told["GPU with docker"]["ok"]
    assert told["a launch would use"]["found"] == "docker, CPU, with the GPU ready"

    bench = me.launch(me.project("notebooks-only"), env=env)
    for figures in (
        me.run("workbench", "stats", "--json", bench.name).ok().json()[0],
        next(each for each in me.run("workbench", "ps", "--json").ok().json() if each["name"] == bench.name),
    ):
        assert set(figures["gpus"][0]) == {"index", "uuid", "name", "memory", "memory_used", "load"}
        assert 0 <= figures["gpus"][0]["memory_used"] <= figures["gpus"][0]["memory"]
        assert 0 <= figures["gpus"][0]["load"] <= 1
    shown = me.run("workbench", "stats", bench.name).ok().out.splitlines()
    assert shown[0].endswith("GPU") and "% · " in shown[1]


def test_no_figures_without_a_gpu(somebody: MakePerson) -> None:
    me = somebody("docker")
    bench = me.launch(me.project("notebooks-only"), "--cpu")
    assert me.run("workbench", "stats", "--json", bench.name).ok().json()[0]["gpus"] is None
    assert "GPU" not in me.run("workbench", "stats", bench.name).ok().out
    text = me.run("workbench", "exec", "--name", bench.name, "--device", "gpu", "--", "true").fails(4)
    assert "has no GPU" in text


VERSIONS = "from importlib.metadata import version; print(version('tabulate'), version('iniconfig'))"
WANTED = {"cpu": "0.8.10 2.0.0\n", "gpu": "0.9.0 2.1.0\n"}
SHARED = "import either, packaging; print(either.__file__, packaging.__file__)"


@pytest.fixture(scope="module", params=["docker", "local"])
def both(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[tuple[Person, Workbench]]:
    """The example project, with both kernels."""
    me = somebody_for_long(request.param)
    yield me, me.launch(example(me), env=with_gpu(me))


@pytest.mark.xdist_group("devices")
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_each_kernel_has_its_own_packages_and_the_same_project(both: tuple[Person, Workbench], device: str) -> None:
    me, bench = both
    assert run(bench, device, VERSIONS) == WANTED[device]
    assert run(bench, device, f'!python -c "{VERSIONS}"') == WANTED[device].replace("\n", "\r\n")
    assert f"tabulate=={WANTED[device].split()[0]}" in run(bench, device, "!pip list --format=freeze")
    assert run(bench, "cpu", SHARED) == run(bench, "gpu", SHARED)
    run(bench, device, *cells(EXAMPLE / "cpu-and-gpu.ipynb"))
    code = ("python", "-c", VERSIONS)
    assert me.run("workbench", "exec", "--name", bench.name, "--device", device, "--", *code).ok().out == WANTED[device]


@pytest.mark.xdist_group("devices")
def test_what_is_installed_by_hand_is_the_kernels_alone(both: tuple[Person, Workbench]) -> None:
    _, bench = both
    where = "import tomli_w; print(tomli_w.__file__)"
    assert "/devices/gpu/" in run(bench, "gpu", "!pip install --quiet tomli-w==1.2.0", where)
    with pytest.raises(AssertionError, match="No module named 'tomli_w'"):
        run(bench, "cpu", where)


@pytest.mark.xdist_group("devices")
def test_commands_and_shells_are_on_the_selected_device(both: tuple[Person, Workbench]) -> None:
    me, bench = both
    inside = ("workbench", "exec", "--name", bench.name, "--")
    assert me.run(*inside, "python", "-c", VERSIONS).ok().out == WANTED["cpu"]
    folder = "$WORKBENCH_RUN/" if me.engine.name == "local" else "/"
    script = f'. {folder}gpu-env; . {folder}cpu-env; . {folder}gpu-env; python -c "{VERSIONS}"; echo "$VIRTUAL_ENV"'
    own, *where = me.run(*inside, "bash", "-c", script).ok().out.splitlines()
    assert own == WANTED["gpu"].strip()
    assert where[0].endswith("devices/gpu")


BROKEN = {
    "there-is-no-such-package-as-this==1.0": ("gpu", "there-is-no-such-package-as-this"),
    "packaging==23.0": ("gpu", "packaging"),
}
"""A package that cannot be had, and one that contradicts what the project itself asks for."""


@pytest.mark.parametrize("engine", ["docker", "local"])
@pytest.mark.parametrize("package", BROKEN)
def test_an_environment_that_cannot_be_made_leaves_the_old_one(engine: str, package: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project, env = example(me), with_gpu(me)
    first = me.launch(project, env=env)
    good = (project / "pyproject.toml").read_text()
    me.write(project / "pyproject.toml", good.replace("iniconfig==2.1.0", package))
    text = me.run(*LAUNCH, "--restart", cwd=project, env=env).fails(4)
    assert all(word in text for word in BROKEN[package]), text
    assert run(first, "gpu", VERSIONS) == WANTED["gpu"]

    me.write(project / "pyproject.toml", good)
    me.run("workbench", "stop", cwd=project).ok()
    again = me.run(*LAUNCH, "--json", cwd=project, env=env).ok()
    assert "uilding" not in again.err, again.err
    assert json.loads(again.out)["container"]


@pytest.mark.parametrize("packages", ["[]", '"torch"', '["==1.0"]'])
def test_tables_that_say_nothing(packages: str, somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project()
    me.write(project / "pyproject.toml", f"[tool.workbench.gpu]\npackages = {packages}\n")
    text = me.run(*LAUNCH, cwd=project).fails(2)
    assert "packages" in text and "pyproject.toml" in text
