"""What a project asks of this machine."""

import pytest

from workbench.images.spec import BuildSpec, ImageSpec, Port, RunSpec
from workbench.model import Device, Mount, Origin, Settings
from workbench.plan.trust import asks, asks_of_build, asks_of_run, digest

FILE, CFG = Origin("file", "pyproject.toml:3"), Origin("dockerutils.cfg", "docker/dockerutils.cfg:2")
FLAG, VARIABLE = Origin("flag", "--mount"), Origin("environment", "WORKBENCH_MOUNTS")

CASES: list[tuple[str, Settings, str | None]] = [
    ("privileged", Settings(privileged=True), "Run privileged"),
    ("host-network", Settings(host_network=True), "Use this machine's network"),
    ("engine", Settings(engine="local"), "Run without a container"),
    ("engine", Settings(engine="podman"), None),
    ("device", Settings(device=Device("gpu")), None),
    ("image", Settings(image="x", port=80, env={"A": "b"}), None),
    ("restart", Settings(restart="always"), "Be started again by the engine by itself: always."),
    ("restart", Settings(restart="unless-stopped"), "Be started again by the engine by itself: unless-stopped."),
    ("restart", Settings(restart="on-failure:3"), None),
    ("cap-add.SYS_ADMIN", Settings(cap_add=("SYS_ADMIN",)), "Add the Linux capability SYS_ADMIN."),
    ("devices./dev/fuse", Settings(devices=("/dev/fuse",)), "Open the device /dev/fuse."),
    ("mounts./x", Settings(mounts=(Mount("/etc", "/x"),)), "Read and write the folder or file /etc (as /x)."),
    ("mounts./x", Settings(mounts=(Mount("/etc", "/x", read_only=True),)), "Read the folder or file /etc (as /x)."),
    ("mounts./x", Settings(mounts=(Mount("/srv/p/data", "/x"),)), None),
    ("mounts./x", Settings(mounts=(Mount("/srv/p", "/x"),)), None),
    ("mounts./x", Settings(mounts=(Mount("/srv/p2", "/x"),)), "Read and write the folder or file /srv/p2 (as /x)."),
    ("mounts./x", Settings(mounts=(Mount("/srv", "/x"),)), "Read and write the folder or file /srv (as /x)."),
    ("mounts./x", Settings(mounts=(Mount("v", "/x", "volume"),)), "Read and write the volume v (as /x)."),
    ("pass-env.A", Settings(pass_env={"A": "1"}), "See the value of your environment variable A."),
]


def with_origin(settings: Settings, name: str, *origins: Origin) -> Settings:
    from dataclasses import replace

    return replace(settings, origins={name: origins[0]})


@pytest.mark.parametrize(("name", "settings", "sentence"), CASES)
def test_what_files_ask(name: str, settings: Settings, sentence: str | None) -> None:
    for origin in (FILE, CFG):
        found = asks(with_origin(settings, name, origin), "/srv/p")
        assert len(found) == (0 if sentence is None else 1)
        assert sentence is None or found[0].startswith(sentence)


@pytest.mark.parametrize(("name", "settings", "sentence"), CASES)
def test_what_the_user_gives_is_not_asked(name: str, settings: Settings, sentence: str | None) -> None:
    for origin in (FLAG, VARIABLE):
        assert asks(with_origin(settings, name, origin), "/srv/p") == ()


def test_an_item_without_an_origin_is_asked() -> None:
    assert asks(Settings(privileged=True), "/srv/p") != ()


def test_a_variable_made_of_others_names_them() -> None:
    origins = {"pass-env.A": CFG, "pass-env.A.AWS_SECRET_ACCESS_KEY": CFG}
    found = asks(Settings(pass_env={"A": "s3"}, origins=origins), "/srv/p")
    assert found == ("See the value of your environment variable AWS_SECRET_ACCESS_KEY (in A).",)
    assert "s3" not in str(found)


def test_the_digest_follows_what_is_asked_and_nothing_else() -> None:
    def of(origin: Origin, *mounts: Mount) -> str:
        return digest(asks(Settings(mounts=mounts, origins={f"mounts.{m.target}": origin for m in mounts}), "/p"))

    one, other = Mount("/etc", "/a"), Mount("/usr", "/b")
    assert of(FILE, one) == of(Origin("file", "pyproject.toml:99"), one)
    assert of(FILE, one, other) == of(FILE, other, one)
    assert len({of(FILE, one), of(FILE, other), of(FILE, one, other), of(FLAG, one)}) == 4


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        (ImageSpec("dev"), []),
        (ImageSpec("dev", run=RunSpec(env={"A": "b"}, ports=(Port(80, 80), Port(1, 2, "::1")), network="none")), []),
        (ImageSpec("dev", run=RunSpec(mounts=(Mount("/srv/p/data", "/x"),))), []),
        (
            ImageSpec("dev", run=RunSpec(mounts=(Mount("/srv", "/x"),))),
            ["Read and write the folder or file /srv (as /x)."],
        ),
        (ImageSpec("dev", run=RunSpec(privileged=True)), ["Run privileged: the container then controls this machine."]),
        (ImageSpec("dev", run=RunSpec(cap_add=("SYS_ADMIN",))), ["Add the Linux capability SYS_ADMIN."]),
        (ImageSpec("dev", run=RunSpec(devices=("/dev/fuse",))), ["Open the device /dev/fuse."]),
        (
            ImageSpec("dev", run=RunSpec(network="host")),
            ["Use this machine's network: every port and service that this machine reaches."],
        ),
        (ImageSpec("dev", run=RunSpec(network="db")), ["Join the network db, and reach what is in it."]),
        (ImageSpec("dev", run=RunSpec(ipc="host")), ["Share memory and semaphores with this machine."]),
        (
            ImageSpec("dev", run=RunSpec(ports=(Port(80, 8080, "192.0.2.1"),))),
            ["Open a port of this machine to others: 192.0.2.1:8080:80/tcp."],
        ),
        (
            ImageSpec("dev", build=BuildSpec(before=("make", "a b"), after=("x\n\x1b[2K",))),
            [
                "Run on this machine, before each build: make 'a b'",
                r"Run on this machine, after each build: 'x\n\x1b[2K'",
            ],
        ),
        (
            ImageSpec("dev", reads={"env.A": ("HOME",), "mounts./x": ("HOME",), "cmd": ("B", "C")}),
            [
                "See the value of your environment variable B, C (in cmd).",
                "See the value of your environment variable HOME (in env.A).",
            ],
        ),
    ],
)
def test_what_an_image_asks(spec: ImageSpec, sentences: list[str]) -> None:
    assert [*asks_of_build(spec), *asks_of_run(spec, "/srv/p")] == sentences


def test_the_folders_of_another_machine_are_always_asked() -> None:
    spec = ImageSpec("dev", run=RunSpec(mounts=(Mount("/srv/p/data", "/x"),)))
    assert asks_of_run(spec, None) == ("Read and write the folder or file /srv/p/data (as /x).",)


def test_what_was_typed_is_not_asked_again() -> None:
    run = RunSpec(
        mounts=(Mount("/srv", "/x"), Mount("/etc", "/y")),
        ports=(Port(80, 8080, "192.0.2.1"),),
        network="host",
        restart="always",
        privileged=True,
    )
    typed = ("mounts./x", "ports.192.0.2.1:8080:80/tcp", "network", "restart", "privileged")
    spec = ImageSpec("dev", run=run, origins=dict.fromkeys(typed, FLAG))
    assert asks_of_run(spec, "/srv/p") == ("Read and write the folder or file /etc (as /y).",)


def test_a_build_and_a_run_ask_for_what_each_reaches() -> None:
    build = BuildSpec(before=("make",), network="host")
    spec = ImageSpec("dev", build=build, run=RunSpec(restart="always"), reads={"build-args.A": ("B",), "cmd": ("C",)})
    assert asks_of_build(spec) == (
        "Run on this machine, before each build: make",
        "Build in this machine's network.",
        "See the value of your environment variable B (in build-args.A).",
    )
    assert asks_of_run(spec, "/srv/p") == (
        "Be started again by the engine by itself: always.",
        "See the value of your environment variable C (in cmd).",
    )
