"""The environment that a project needs, and what makes it another one."""

import json
from dataclasses import replace

import pytest

from tests.plan.values import DOCKER, FOLDERS, KIT, LOCAL, PROJECT
from workbench.errors import ConfigError
from workbench.model import (
    DependencyFile,
    DevicePackages,
    GpuFacts,
    HostFacts,
    ImageBuild,
    ImageUse,
    Network,
    Origin,
    Project,
    Settings,
    VenvBuild,
)
from workbench.plan.build import OVERLAYS, Kit, plan_build
from workbench.plan.digest import changes


def build(project: Project = PROJECT, settings: Settings = Settings(), facts=DOCKER, kit: Kit = KIT):  # noqa: B008
    return plan_build(project, settings, facts, kit, FOLDERS, force=False, offline=False)


def with_file(name: str, content: bytes) -> Project:
    others = tuple(file for file in PROJECT.dependencies if file.name != name)
    return replace(PROJECT, dependencies=(*others, DependencyFile(name, content)))


def test_the_same_inputs_give_the_same_digest():
    assert build() == build()


def test_each_input_changes_the_digest_and_is_named():
    before = build()
    after = {
        "requirements.txt changed": build(with_file("requirements.txt", b"tabulate==0.9\n")),
        "setup.py is new": build(with_file("setup.py", b"import setuptools\n")),
        "the base image changed": build(settings=Settings(base_image="python:3.12-slim-bookworm")),
        "the container's user changed": build(facts=replace(DOCKER, uid=1001)),
        "Workbench changed": build(kit=replace(KIT, files={**KIT.files, "Dockerfile": b"FROM other\n"})),
    }
    for reason, changed in after.items():
        assert changed.digest != before.digest
        assert changes(before.inputs, changed.inputs) == (reason,)


def test_a_python_version_chooses_the_base_and_is_the_reason():
    changed = build(replace(PROJECT, python="3.12"))
    assert changed.base == "python:3.12-slim-bookworm"
    assert changes(build().inputs, changed.inputs) == ("the Python version changed", "the base image changed")


def test_only_dependency_files_and_our_own_are_sent():
    files = build().files
    of_the_project = {"dependencies/requirements.txt", "dependencies/apt.txt", "apt.txt", "postBuild"}
    assert set(files) == {*KIT.files, *of_the_project, "devices.json"}
    assert files["devices.json"] == b""
    assert files["apt.txt"] == b"graphviz\n"


def test_the_image_is_named_as_dockerutils_names_it():
    assert build().tag == "analysis-notebook:ada"


def test_the_networks_settings_are_secrets_and_nothing_else():
    network = Network(env={"HTTPS_PROXY": "http://ada:secret@proxy:3128"}, files={"ca.pem": "/etc/ssl/ca.crt"})
    built = build(facts=replace(DOCKER, network=network))
    assert {secret.id: secret.source for secret in built.secrets} == {
        "ca.pem": "/etc/ssl/ca.crt",
        "network.env": f"{FOLDERS.state}/network.env",
    }
    assert "secret" not in repr((built.args, built.labels, built.files))
    assert built.digest == build().digest


def test_a_dockerfile_of_the_project_is_built_first_and_is_the_base():
    own = replace(
        PROJECT,
        dockerfile=DependencyFile("docker/notebook/Dockerfile", b"FROM debian\nCOPY docker/notebook/a.txt /\n"),
        dockerfile_context=(DependencyFile("docker/notebook/a.txt", b"a"),),
    )
    built = build(own)
    assert built.before is not None
    assert built.base == built.before.tag
    assert built.args["SYSTEM_SITE_PACKAGES"] == "1"
    assert set(built.before.files) == {
        "Dockerfile", "docker/notebook/Dockerfile", "docker/notebook/a.txt", "requirements.txt", "apt.txt",
    }  # fmt: skip
    assert "docker/notebook/a.txt changed" in changes(
        built.inputs, build(replace(own, dockerfile_context=(DependencyFile("docker/notebook/a.txt", b"b"),))).inputs
    )


def test_an_image_is_a_base_unless_it_is_taken_as_it_is():
    based = build(settings=Settings(image="ghcr.io/lab/torch:2"))
    assert isinstance(based, ImageBuild)
    assert based.base == "ghcr.io/lab/torch:2"
    assert build(settings=Settings(image="ghcr.io/lab/torch:2", as_is=True)) == ImageUse("ghcr.io/lab/torch:2")


def test_without_a_container_the_environment_lies_in_the_cache_under_its_digest():
    made = build(facts=LOCAL)
    assert isinstance(made, VenvBuild)
    assert made.folder == f"{FOLDERS.cache}/environments/analysis-{made.folder.rpartition('-')[0][-6:]}-{made.digest}"
    assert set(made.files) == {"requirements.txt"}
    assert made.python == "3.12"


CPU = DevicePackages(("torch==2.9.0", "Six_Pack>=1", "pip"), torch_backend="cpu")
GPU = DevicePackages(("torch==2.9.0", "six-pack", "pip", "cupy"), "https://example.org/simple", "cu128")
BOTH = Settings(cpu=CPU, gpu=GPU)


@pytest.mark.parametrize("facts", [DOCKER, LOCAL])
def test_the_packages_of_a_device_are_the_reason(facts: HostFacts) -> None:
    before = build(settings=Settings(gpu=GPU), facts=facts)
    newer = replace(GPU, packages=("torch==2.9.1",))
    assert "the GPU environment is new" in changes(build(facts=facts).inputs, before.inputs)
    assert changes(before.inputs, build(settings=BOTH, facts=facts).inputs) == ("the CPU environment is new",)
    changed = build(settings=Settings(gpu=newer), facts=facts)
    assert changes(before.inputs, changed.inputs) == ("the GPU environment changed",)
    assert changed.digest != before.digest


def test_without_packages_of_devices_nothing_is_made_for_them() -> None:
    image, venv = build(), build(facts=LOCAL)
    assert image.args["ENVIRONMENTS"] == "shared" and "APART" not in image.args
    assert (venv.devices, venv.apart) == ("", ())
    other = replace(KIT, files={**KIT.files, **{f"inside/{name}.py": b"make = 2\n" for name in OVERLAYS}})
    assert build(facts=LOCAL, kit=other).digest == venv.digest
    assert build(facts=LOCAL, kit=other, settings=BOTH).digest != build(facts=LOCAL, settings=BOTH).digest


def test_what_both_devices_bring_is_apart_but_for_the_kernel() -> None:
    image, venv = build(settings=BOTH), build(settings=BOTH, facts=LOCAL)
    assert (image.args["ENVIRONMENTS"], image.args["APART"]) == ("devices", "six-pack,torch")
    assert venv.apart == ("six-pack", "torch")
    assert venv.devices == image.files["devices.json"].decode()
    assert json.loads(venv.devices) == {
        "cpu": {"packages": list(CPU.packages), "index": None, "torch-backend": "cpu"},
        "gpu": {"packages": list(GPU.packages), "index": "https://example.org/simple", "torch-backend": "cu128"},
    }


def test_other_versions_of_the_same_packages_leave_the_shared_environment() -> None:
    newer = replace(BOTH, gpu=replace(GPU, packages=("torch==3", "six-pack==2", "cupy==14")))
    assert build(settings=newer).args == build(settings=BOTH).args
    assert build(settings=Settings(gpu=GPU)).args["APART"] == ""


AUTO = DevicePackages(("torch",), torch_backend="auto")
DRIVERS = ("570.86.15", "570.124.06")


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (replace(DOCKER, gpu=GpuFacts(driver="570.86.15")), {"torch-backend": "auto", "driver": "570"}),
        (DOCKER, {"torch-backend": "cpu"}),
        (replace(DOCKER, remote=True, desktop=True, os="darwin"), {"torch-backend": "cpu"}),
    ],
)
def test_auto_goes_by_the_driver_of_the_machine(facts: HostFacts, wanted: dict[str, str]) -> None:
    image = build(settings=Settings(cpu=AUTO, gpu=AUTO), facts=facts)
    tables = json.loads(image.files["devices.json"])
    assert tables["cpu"] == {"packages": ["torch"], "index": None, "torch-backend": "cpu"}
    assert tables["gpu"] == {"packages": ["torch"], "index": None, **wanted}
    other = build(settings=Settings(cpu=AUTO, gpu=AUTO), facts=replace(facts, gpu=GpuFacts(driver="580.1")))
    assert changes(image.inputs, other.inputs) == ("the GPU environment changed",)


def test_an_update_of_the_driver_makes_no_other_environment() -> None:
    settings = Settings(gpu=AUTO)
    digests = {build(settings=settings, facts=replace(DOCKER, gpu=GpuFacts(driver=each))).digest for each in DRIVERS}
    assert len(digests) == 1


def test_auto_is_refused_where_the_driver_cannot_be_told() -> None:
    settings = Settings(gpu=AUTO, origins={"gpu": Origin("file", "pyproject.toml:7")})
    with pytest.raises(ConfigError, match=r"pyproject\.toml:7: .*another machine") as caught:
        build(settings=settings, facts=replace(DOCKER, remote=True))
    assert "cu128" in caught.value.hint


REST = '[project]\nname = "x"\n'
RUFF = "[tool.ruff]\na = 1\n"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (f"{REST}\n[tool.workbench]\nport = 1\nmounts = [\n 'a',\n]\n{RUFF}", f"{REST}\n{RUFF}"),
        (f"[tool.workbench.cpu]\npackages = ['x']\n\n[tool.workbench.env]\nA = '1'\n{REST}", REST),
        (f"[tool]\nworkbench = {{port = 1}} # tool.workbench\n{REST}", None),
        (f"tool.workbench.port = 1\n{REST}", None),
        (f"{REST}readme = '''\n[tool.workbench]\n'''\n", None),
        (f"{REST}[tool.workbench]\nenv.A = '''\n[x]\n'''\n", None),
    ],
)
def test_settings_are_no_part_of_an_environment(text: str, sent: str | None) -> None:
    files = build(with_file("pyproject.toml", text.encode())).files
    assert files["dependencies/pyproject.toml"].decode() == (sent or text)
