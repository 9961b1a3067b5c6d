"""A toolchain as a document for Compose: what stands in it, for this machine and for any, and what never does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from plan.values import DOCKER
from support.images import hostile

from workbench import config, project
from workbench.errors import ConfigError
from workbench.images.spec import BuildSpec, ImageSpec, RunSpec
from workbench.model import Companions, Device, HostFacts, Mount, Origin, SharedVolume, Toolchain
from workbench.plan import toolchain as planning
from workbench.plan.device import Choice
from workbench.plan.toolchain import Place, Tool
from workbench.plan.user import ContainerUser
from workbench.values import Place as Written
from workbench.values import toolchain

WRITTEN = Written(Path("/srv/p"), Path("/home/ada"), {})
FOUND = toolchain({"images": {"prep": ["ipc", "images"], "train": True}}, WRITTEN)
ADA = ContainerUser(1000, 1001, "ada", "/home/ada")


def tool(name: str = "prep", volumes: tuple[str, ...] = ("ipc", "images"), **run: Any) -> Tool:
    spec = ImageSpec(name, folder=name, run=RunSpec(**run))
    return Tool(spec, f"p-{name}:ada", volumes)


def place(root: str = "/srv/p", user: ContainerUser = ADA, facts: HostFacts = DOCKER) -> Place:
    return Place(root, user, facts)


def own(each: Tool, where: Place | None = None) -> dict[str, Any]:
    """The one service of the document for this machine."""
    found: dict[str, Any] = planning.own(FOUND, {each.spec.key: each}, "p-1", where or place())
    return found


def test_the_volumes_of_the_seed_are_there_without_a_word() -> None:
    assert FOUND.root == "/workspace"
    assert FOUND.images["train"] == ("ipc", "pipelines", "images", "src", "scripts", "docs", "log")
    assert FOUND.volumes["images"] == SharedVolume("folder", "images")
    assert FOUND.volumes["ipc"] == SharedVolume("memory")


def test_each_volume_has_the_place_that_is_said() -> None:
    table = {"root": "/app/", "volumes": {"a": "data/../raw/", "b": "volume", "c": "memory", "d": "./volume", "e": "."}}
    assert toolchain(table, WRITTEN) == Toolchain(
        "/app",
        {
            "a": SharedVolume("folder", "raw"),
            "b": SharedVolume("volume"),
            "c": SharedVolume("memory"),
            "d": SharedVolume("folder", "volume"),
            "e": SharedVolume("folder", "."),
        },
        {},
    )


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"root": "workspace"}, "'workspace' is not a folder of the container"),
        ({"root": "/"}, "'/' is not a folder of the container"),
        ({"root": "/a/../b"}, "without . and .."),
        ({"root": "/a${HOME}"}, "has more than letters, digits"),
        ({"root": "/a b"}, "has more than letters, digits"),
        ({"root": "/proc/1"}, "/proc/1 belongs to the container itself"),
        ({"volumes": {"a": "../other"}}, "'../other' is no folder of this project"),
        ({"volumes": {"a": "x/../../other"}}, "is no folder of this project"),
        ({"volumes": {"a": "/etc"}}, "'/etc' is no folder of this project"),
        ({"volumes": {"a": "~/.ssh"}}, "'~/.ssh' is no folder of this project"),
        ({"volumes": {"a": "x\ny"}}, "expected text of printable characters"),
        ({"volumes": ["../src"]}, "`volumes`: '../src' is not a name"),
        ({"volumes": ["-v"]}, "`volumes`: '-v' is not a name"),
        ({"images": {"a": False}}, '`images`: a = true is all volumes, and a list is some of them, as a = ["src"]'),
        ({"images": {"--privileged": True}}, "`images`: '--privileged' is not a name"),
    ],
)
def test_what_cannot_be(table: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as caught:
        toolchain(table, WRITTEN)
    assert why in str(caught.value)


def test_names_are_names_or_refused() -> None:
    for text in hostile():
        for table in ({"volumes": [text]}, {"images": {text: True}}):
            with pytest.raises(ValueError) as caught:
                toolchain(table, WRITTEN)
            assert str(caught.value).isprintable()
        # A folder may be called so: it begins with a slash wherever it stands.
        if text != "--privileged":
            with pytest.raises(ValueError):
                toolchain({"root": f"/{text}"}, WRITTEN)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("roots = '/x'", "'roots' is not known here", "Did you mean `root`?"),
        ('images = { dev = "src" }', "expected `bool | array`", ""),
        ("volumes = { a = 1 }", "expected `str`", ""),
    ],
)
def test_a_wrong_table_is_named_with_file_and_line(tmp_path: Path, line: str, message: str, hint: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[project]\nname = 'p'\n[tool.workbench.toolchain]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(project.find(tmp_path, home=Path("/nowhere")), {})
    said = caught.value.message
    assert said.startswith("pyproject.toml:3: `toolchain`: ") and message in said and hint in said


@pytest.mark.parametrize(
    ("images", "message", "hint"),
    [
        ({}, "pyproject.toml:3: the toolchain has no images.", "Say which volumes each has"),
        ({"trian": ()}, "'trian' is no image of this project.", "Did you mean `train`?"),
        ({"train": ("scr",)}, "'scr', which train is to have, is no volume", "Did you mean `src`?"),
        ({"train": ("data",)}, "'data', which train is to have", "Known are: docs, images, ipc, log, pipelines"),
    ],
)
def test_the_nearest_name_is_told(images: dict[str, tuple[str, ...]], message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planning.check(replace(FOUND, images=images), ["prep", "train"], Origin("file", "pyproject.toml:3"))
    assert message in caught.value.message and hint in caught.value.hint


def test_the_document_of_this_machine() -> None:
    document = planning.own(FOUND, {"prep": tool(command=("python", "x"))}, "p-1", place())
    assert document == {
        "services": {
            "prep": {
                "image": "p-prep:ada",
                "pull_policy": "never",
                "user": "1000:1001",
                "init": True,
                "working_dir": "/workspace",
                "environment": {"APP_ROOT": "/workspace"},
                "command": ["python", "x"],
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges"],
                "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
                "pids_limit": 4096,
                "volumes": [
                    {"type": "volume", "source": "ipc", "target": "/workspace/ipc"},
                    {"type": "bind", "source": "/srv/p/images", "target": "/workspace/images"},
                ],
            }
        },
        "volumes": {"ipc": {"name": "workbench-p-1-toolchain_ipc", "external": True}},
    }


def test_the_equal_document_names_nobody_and_no_place() -> None:
    base = ImageSpec("base", folder="base")
    needs = Tool(
        ImageSpec("prep", folder="prep", build=BuildSpec({"BASE": "p-base:ada"}, {"KEY": "s3cret"})),
        "p-prep:ada",
        ("ipc", "images"),
        needs=("base",),
    )
    document = planning.portable(FOUND, {"prep": needs}, {"base": Tool(base, "p-base:ada")}, "p", place("."))
    service = document["services"]["prep"]
    assert service["image"] == "p-prep"
    assert service["build"] == {
        "context": ".",
        "dockerfile": "docker/prep/Dockerfile",
        "args": {"BASE": "p-base", "KEY": None},
    }
    assert service["user"] == "${APP_UID:-1000}:${APP_GID:-1001}"
    assert service["environment"] == {"APP_ROOT": "${APP_ROOT:-/workspace}"}
    assert service["volumes"][1] == {
        "type": "bind",
        "source": "./images",
        "target": "${APP_ROOT:-/workspace}/images",
    }
    options = document["volumes"]["ipc"]["driver_opts"]
    assert options == {"type": "tmpfs", "device": "tmpfs", "o": "uid=${APP_UID:-1000},gid=${APP_GID:-1001},mode=0770"}
    assert document["services"]["base"] == {
        "image": "p-base",
        "build": {"context": ".", "dockerfile": "docker/base/Dockerfile"},
        "profiles": ["build"],
    }
    text = planning.text(document, planning.header(FOUND, {"prep": needs}, ["base"]))
    assert "docker compose build base && docker compose up --build" in text and "mkdir -p images" in text
    assert not [word for word in ("ada", "/srv", "s3cret", "workbench-p") if word in text]


def test_both_documents_ask_for_the_same() -> None:
    each = tool(
        env={"A": "b"}, memory=1 << 30, cpus=0.5, shm_size=1 << 26, restart="on-failure", hosts={"db": "10.1.2.3"}
    )
    mine = own(each)["services"]["prep"]
    others = planning.portable(FOUND, {"prep": each}, {}, "p", place("."))["services"]["prep"]
    assert mine["mem_limit"] == "1073741824b" and mine["extra_hosts"] == ["db:10.1.2.3"]
    differ = {key for key in {*mine, *others} if mine.get(key) != others.get(key)}
    assert differ == {"image", "pull_policy", "build", "user", "working_dir", "environment", "volumes"}


def test_what_is_the_users_own_is_in_no_document() -> None:
    tools = {"prep": tool(private={"KEY": "one"}), "train": tool("train", (), private={"KEY": "two"})}
    document = planning.own(FOUND, tools, "p-1", place())
    assert document["services"]["prep"]["environment"]["KEY"] == "${WORKBENCH_0_KEY}"
    assert document["services"]["train"]["environment"]["KEY"] == "${WORKBENCH_1_KEY}"
    assert planning.private(tools) == {"WORKBENCH_0_KEY": "one", "WORKBENCH_1_KEY": "two"}
    assert not [word for word in ("one", "two") if word in planning.text(document)]


def test_services_are_reached_and_told_of() -> None:
    beside = Companions(
        "p", ("db",), ("p_default", "p_other"), env={"DB": "db:5432", "A": "from the service", "KEY": "x"}
    )
    where = replace(place(), beside=beside)
    document = planning.own(FOUND, {"prep": tool(env={"A": "mine"}, private={"KEY": "s3"})}, "p-1", where)
    service = document["services"]["prep"]
    assert service["networks"] == ["default", "services-0", "services-1"]
    assert document["networks"]["services-1"] == {"name": "p_other", "external": True}
    told = {"DB": "db:5432", "A": "mine", "KEY": "${WORKBENCH_0_KEY}", "APP_ROOT": "/workspace"}
    assert service["environment"] == told


def test_no_right_and_no_mount_comes_from_the_image() -> None:
    mounts = (Mount("/etc", "/etc"),)
    wide = RunSpec(privileged=True, cap_add=("ALL",), devices=("/dev/sda",), network="host", ipc="host", user="0",
                   mounts=mounts, env={"A": "b"})  # fmt: skip
    origins = {key: Origin("file", "pyproject.toml:9") for key in ("privileged", "cap-add.ALL", "mounts./etc", "env.A")}
    spec = ImageSpec("prep", folder="prep", run=wide, origins=origins, reads={"mounts./etc": ("X",), "env.A": ("Y",)})
    kept = planning.used(spec)
    assert kept.run == RunSpec(env={"A": "b"}) and kept.reads == {"env.A": ("Y",)}
    said = planning.left(spec)
    assert [each.partition(" of ")[0] for each in said] == [
        "pyproject.toml:9: cap-add",
        "pyproject.toml:9: mounts",
        "pyproject.toml:9: privileged",
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice("cpu"), {}),
        (Choice("gpu", form="runtime"), {"runtime": "nvidia"}),
        (Choice("gpu", ("0",), "cdi"), {"driver": "cdi", "device_ids": ["nvidia.com/gpu=0"]}),
        (Choice("gpu", ("0", "1"), "request"), {"device_ids": ["0", "1"]}),
        (Choice("gpu", (), "request"), {"count": "all"}),
    ],
)
def test_gpus_in_the_form_in_which_the_engine_gives_them(choice: Choice, expected: dict[str, Any]) -> None:
    service = own(replace(tool(device=Device("gpu")), device=choice))["services"]["prep"]
    if choice.form in ("request", "cdi"):
        [device] = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", **expected, "capabilities": ["gpu"]}
    else:
        assert {key: service[key] for key in ("runtime", "devices", "deploy") if key in service} == expected


def test_a_rootless_podman_keeps_the_users_number_and_owns_what_is_in_memory() -> None:
    user = replace(ADA, userns="keep-id")
    document = own(tool(), place(user=user, facts=replace(DOCKER, engine="podman", cgroup_limits=False)))
    service = document["services"]["prep"]
    assert (service["userns_mode"], service["user"]) == ("keep-id", "1000:1001")
    assert service["logging"] == {"driver": "k8s-file", "options": {"max-size": "10m"}}
    assert "pids_limit" not in service
    assert "o=uid=0,gid=0,mode=0770" in planning.create_command("x", user, "podman")


def test_texts_stay_texts_whatever_is_in_them() -> None:
    for each in (
        *hostile(),
        "yes",
        "null",
        "1e3",
        "0x10",
        "-",
        "",
        " x ",
        "a: b",
        "a #b",
        "${HOME}",
        "$$",
        "\U0001f600",
    ):
        made = tool(env={"A": each}, command=(each, "x"), workdir=f"/{each}")
        where = Place(f"/srv/{each}", ADA, DOCKER, {"io.workbench.project": each})
        read = yaml.safe_load(planning.text(own(made, where)))
        assert read == own(made, where)
        service = read["services"]["prep"]
        # As Compose has it, once it has replaced its variables.
        assert (service["environment"]["A"].replace("$$", "$"), service["command"][0].replace("$$", "$")) == (
            each,
            each,
        )
        assert service["volumes"][1]["source"].replace("$$", "$") == f"/srv/{each}".rstrip("/") + "/images"
        assert "$" not in planning.text(own(made, where)).replace("$$", "")


def test_folders_and_what_is_in_memory() -> None:
    tools = {"a": tool("a", ("ipc", "src")), "b": tool("b", ("src", "log"))}
    assert planning.folders(FOUND, tools) == ("src", "log")
    [name] = planning.in_memory(FOUND, tools, "p-1")
    assert planning.create_command(name, ADA, "docker") == (
        "docker",
        "volume",
        "create",
        *("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=uid=1000,gid=1001,mode=0770"),
        "workbench-p-1-toolchain_ipc",
    )
