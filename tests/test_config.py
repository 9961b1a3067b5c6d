"""The effective configuration: where values come from, which win, and what is refused."""

import json
from pathlib import Path

import msgspec
import pytest

from workbench import config, project
from workbench.envfile import parse
from workbench.errors import ConfigError, ProjectError
from workbench.model import Device, DevicePackages, Mount, ServiceUse, Settings, Web
from workbench.schema import OPTIONS
from workbench.toml import line_of

TABLE = "[tool.workbench]\n"


def load(
    root: Path,
    pyproject: str | None = None,
    *,
    files: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Write the files, and load the configuration as a command in `cwd` would. `~` is `root/home`."""
    for name, text in {**(files or {}), **({} if pyproject is None else {"pyproject.toml": pyproject})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = project.find(root, home=Path("/nowhere/home"))
    return config.load(found, {"USER": "ada", **(environ or {})}, flags or {}, cwd=cwd or root, home=root / "home")


def refused(root: Path, pyproject: str | None = None, **rest: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(root, pyproject, **rest)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value


def test_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings(origins=settings.origins)
    assert {str(origin) for origin in settings.origins.values()} == {"default"}


def test_each_source_goes_over_the_one_before(tmp_path: Path) -> None:
    cfg = {"docker/dockerutils.cfg": "[notebook]\ngpu = --gpus all\n"}
    toml = TABLE + 'device = "gpu:1"\n'
    variable = {"WORKBENCH_DEVICE": "gpu:2"}
    seen = [
        load(tmp_path),
        load(tmp_path, files=cfg),
        load(tmp_path, toml),
        load(tmp_path, environ=variable),
        load(tmp_path, environ=variable, flags={"device": "cpu"}),
    ]
    assert [(str(settings.device), str(settings.origins["device"])) for settings in seen] == [
        ("auto", "default"),
        ("gpu", "docker/dockerutils.cfg:2"),
        ("gpu:1", "pyproject.toml:2"),
        ("gpu:2", "WORKBENCH_DEVICE"),
        ("cpu", "--device"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('engine = "podman"', "engine", "podman"),
        ('device = "gpu:0,1"', "device", Device("gpu", ("0", "1"))),
        ('image = "quay.io/a/b:1.0"', "image", "quay.io/a/b:1.0"),
        ('base-image = "python:3.12-slim"', "base_image", "python:3.12-slim"),
        ("port = 8900", "port", 8900),
        ("classic = true", "classic", True),
        ("diffs = false", "diffs", False),
        ('memory = "4g"', "memory", 4 << 30),
        ('memory = "1.5 GB"', "memory", 3 << 29),
        ('memory = "512m"', "memory", 512 << 20),
        ("memory = 1000", "memory", 1000),
        ('shm-size = "64MiB"', "shm_size", 64 << 20),
        ("cpus = 2", "cpus", 2.0),
        ("cpus = 0.5", "cpus", 0.5),
        ('restart = "on-failure:3"', "restart", "on-failure:3"),
        ('restart = "always"', "restart", "always"),
        ('log-max-size = "5 MB"', "log_max_size", "5m"),
        ("log-max-size = 100000", "log_max_size", "100000"),
        ("log-max-file = 5", "log_max_file", 5),
        ("env = {A = 'x', B = 3, C = 1.5}", "env", {"A": "x", "B": "3", "C": "1.5"}),
        ("privileged = true", "privileged", True),
        ("host-network = true", "host_network", True),
        ("cap-add = ['CAP_SYS_PTRACE', 'net_admin']", "cap_add", ("SYS_PTRACE", "NET_ADMIN")),
        ("devices = ['/dev/video0', 'nvidia.com/gpu=all']", "devices", ("/dev/video0", "nvidia.com/gpu=all")),
        ("services = ['mlflow']", "services", {"mlflow": ServiceUse()}),
        (
            "[tool.workbench.services.db]\nstart = false\nenv = {PORT = 5}\nvolumes = {data = '/mnt/data/'}\nweb = 80",
            "services",
            {"db": ServiceUse(False, {"PORT": "5"}, {"data": "/mnt/data"}, Web("db", 80, "db"))},
        ),
        ("pass-env = ['USER']", "pass_env", {"USER": "ada"}),
        ("cpu.packages = ['torch']", "cpu", DevicePackages(("torch",))),
        ("[tool.workbench.images.dev]\ncmd = ['a']\nmounts = [{source='.', target='/x'}]", "image", None),
    ],
)
def test_values_of_a_file(tmp_path: Path, line: str, field: str, value: object) -> None:
    settings = load(tmp_path, f"{TABLE}# a comment\n{line}\n")
    assert getattr(settings, field) == value
    if value is not None:
        assert str(settings.origins[field.replace("_", "-")]) == "pyproject.toml:3"


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("WORKBENCH_PORT", "8900", "port", 8900),
        ("WORKBENCH_DIFFS", "no", "diffs", False),
        ("WORKBENCH_CPUS", "2.5", "cpus", 2.5),
        ("WORKBENCH_RESTART", "unless-stopped", "restart", "unless-stopped"),
        ("WORKBENCH_LOG_MAX_SIZE", "500k", "log_max_size", "500k"),
        ("WORKBENCH_LOG_MAX_FILE", "1", "log_max_file", 1),
        ("WORKBENCH_SHM_SIZE", "2g", "shm_size", 2 << 30),
        ("WORKBENCH_BASE_IMAGE", "debian:12", "base_image", "debian:12"),
        ("WORKBENCH_PASS_ENV", "USER, LANG", "pass_env", {"USER": "ada", "LANG": "C"}),
        ("WORKBENCH_PORT", "", "port", None),
        ("DOCKER_DS_DIFFS", "1", "diffs", True),
        ("RESERO_JUPYTER_DIFFS", "please", "diffs", True),
        ("DOCKER_DS_DIFFS", "no_diffs", "diffs", False),
        ("WORKBENCH_SOMETHING_ELSE", "1", "diffs", True),
    ],
)
def test_values_of_the_environment(tmp_path: Path, name: str, text: str, field: str, value: object) -> None:
    assert getattr(load(tmp_path, environ={name: text, "LANG": "C"}), field) == value


def test_old_variables_beat_files_and_lose_to_new_ones(tmp_path: Path) -> None:
    off = TABLE + "diffs = false\n"
    assert load(tmp_path, off, environ={"RESERO_JUPYTER_DIFFS": "1"}).diffs
    assert not load(tmp_path, off, environ={"RESERO_JUPYTER_DIFFS": "1", "WORKBENCH_DIFFS": "0"}).diffs


def test_variables_told_to_a_server_are_not_settings(tmp_path: Path) -> None:
    told = {"WORKBENCH_RUN": "/run/x", "WORKBENCH_PORT": "8888", "WORKBENCH_DEVICE": "cpu"}
    settings = load(tmp_path, environ=told)
    assert (settings.port, str(settings.device)) == (None, "auto")


def test_dont_pull() -> None:
    assert config.no_pull({"DOCKER_DS_DONT_PULL": "1"})
    assert not config.no_pull({"DOCKER_DS_DONT_PULL": ""})


def test_workbench_toml(tmp_path: Path) -> None:
    settings = load(tmp_path, files={"workbench.toml": "port = 8901\n[env]\nA = 'b'\n"})
    assert (settings.port, settings.env) == (8901, {"A": "b"})
    assert str(settings.origins["env.A"]) == "workbench.toml:3"
    assert "both configure" in refused(tmp_path, TABLE + "port = 1\n").message


def test_collections_add_up_and_each_item_knows_its_origin(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        TABLE + "[tool.workbench.env]\nA = 'file'\nB = 'file'\n",
        files={"docker/dockerutils.cfg": "[notebook]\nenvironment = -e A=cfg -e C=cfg\n"},
        flags={"env": ("B=flag=1", "D=")},
    )
    assert settings.env == {"A": "file", "C": "cfg", "B": "flag=1", "D": ""}
    assert [str(settings.origins[f"env.{name}"]) for name in "ABCD"] == [
        "pyproject.toml:3",
        "--env",
        "docker/dockerutils.cfg:2",
        "--env",
    ]


def test_a_variable_is_given_or_passed_by_the_stronger_source(tmp_path: Path) -> None:
    table = TABLE + "pass-env = ['USER']\n"
    given = load(tmp_path, table, flags={"env": ["USER=bob"]})
    assert (given.env, given.pass_env) == ({"USER": "bob"}, {})
    assert "pass-env.USER" not in given.origins
    passed = load(tmp_path, TABLE + "env = {USER = 'x'}\n", flags={"env": ["USER"]})
    assert (passed.env, passed.pass_env) == ({}, {"USER": "ada"})
    assert passed.origins["pass-env.USER"].kind == "flag"


def test_env_files_go_under_single_variables(tmp_path: Path) -> None:
    (tmp_path / "vars").write_text("A=1\nB=2\n")
    flags: dict[str, object] = {"env": ["A=9"], "env_file": "vars"}
    assert load(tmp_path, flags=flags).env == {"A": "9", "B": "2"}
    flags = {"env_file": "gone"}
    assert "gone cannot be read" in refused(tmp_path, flags=flags).message


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b c  # why", "b c"),
        ("A=b#c", "b#c"),
        ("A='x # $y \\n'", "x # $y \\n"),
        ('A="x \\"q\\" \\n" # why', 'x "q" \n'),
        ("A=", ""),
        ("A=''", ""),
        ("A=it's", "it's"),
        ("A=a=b", "a=b"),
        ("A", "here"),
        ("\n  # c\nA=1", "1"),
    ],
)
def test_env_file_lines(line: str, value: str) -> None:
    assert parse(line, "f", {"A": "here"}) == {"A": value}


@pytest.mark.parametrize("line", ["A='open", 'A="open', "=x", "A B", "GONE"])
def test_env_file_lines_that_cannot_be(line: str) -> None:
    with pytest.raises(ValueError, match=r"^f:2: "):
        parse(f"X=1\n{line}", "f", {})


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ('"data:/data"', Mount("{root}/data", "/data")),
        ('"./data:/data:ro"', Mount("{root}/data", "/data", read_only=True)),
        ('"data:/data:rw"', Mount("{root}/data", "/data")),
        ('"~/x:/x/"', Mount("{root}/home/x", "/x")),
        ('"/etc:/etc-of-host"', Mount("/etc", "/etc-of-host")),
        ('"link:/data"', Mount("/etc", "/data")),
        ('"a:b:/x"', Mount("{root}/a:b", "/x")),
        ('{source="a,b", target="/x:y", read-only=true}', Mount("{root}/a,b", "/x:y", read_only=True)),
        ('{source="models", target="/m", type="volume"}', Mount("models", "/m", "volume")),
    ],
)
def test_mounts(tmp_path: Path, written: str, mount: Mount) -> None:
    for name in ("data", "home/x", "a:b", "a,b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("/etc")
    settings = load(tmp_path, f"{TABLE}mounts = [\n  {written},\n]\n")
    source = mount.source.replace("{root}", str(tmp_path))
    assert settings.mounts == (Mount(source, mount.target, mount.kind, mount.read_only),)
    assert str(settings.origins[f"mounts.{mount.target}"]) == "pyproject.toml:2"


def test_mounts_of_the_command_line_start_from_where_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "p" / "data").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    settings = load(tmp_path / "p", TABLE + "mounts = ['data:/a']\n", flags={"mounts": ("data:/b",)}, cwd=tmp_path)
    assert [mount.source for mount in settings.mounts] == [f"{tmp_path}/p/data", f"{tmp_path}/data"]


def test_a_mount_replaces_that_of_the_same_target_only(tmp_path: Path) -> None:
    table = TABLE + "mounts = ['/etc:/a', '/etc:/a.b']\n"
    settings = load(tmp_path, table, flags={"mounts": ["/usr:/a"]})
    assert sorted((mount.target, mount.source) for mount in settings.mounts) == [("/a", "/usr"), ("/a.b", "/etc")]
    assert [str(settings.origins[f"mounts.{name}"]) for name in ("/a", "/a.b")] == ["--mount", "pyproject.toml:2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("memry = '4g'", "`memry` is not a setting."),
        ("env-file = 'x'", "`env-file` is not a setting."),
        ("port = 'x'", "`port`: expected `int`, got `str`"),
        ("port = 70000", "expected a port from 1 to 65535"),
        ("restart = 'sometimes'", "expected no, on-failure"),
        ("restart = 'on-failure:0'", "expected no, on-failure"),
        ("log-max-size = '-1'", "expected a size such as 10m"),
        ("log-max-file = 0", "expected a number from 1"),
        ("port = true", "`port`: expected `int`, got `bool`"),
        ("diffs = 'yes'", "`diffs`: expected `bool`, got `str`"),
        ("memory = '4 gigs'", "expected a size such as 512m or 4g"),
        ("memory = 0", "expected a size"),
        ("cpus = nan", "expected a number of cores"),
        ("cpus = -1", "expected a number of cores"),
        ("device = 'tpu'", "expected auto, cpu, gpu or gpu:0,1"),
        ("device = 'cpu:0'", "expected auto, cpu, gpu or gpu:0,1"),
        ("engine = 'dokcer'", "expected auto, docker, podman or local"),
        ("image = '--privileged'", "is not an image reference"),
        ("image = ''", "expected text"),
        ("env = {'a b' = 'x'}", "is not the name of an environment variable"),
        ("env = {WORKBENCH_ROOT = 'x'}", "belong to Workbench"),
        ("env = {A = [1]}", "`env`: expected"),
        ("pass-env = ['GONE', 'USER']", "GONE: not set in your environment"),
        ("mounts = ['/etc']", "write SRC:DST"),
        ("mounts = ['gone:/x']", "gone does not exist on this machine"),
        ("mounts = ['/etc:x']", "is not a folder of the container"),
        ("mounts = ['/etc:/a/../b']", "is not a folder of the container"),
        ("mounts = ['/etc:/']", "is not a folder of the container"),
        ("mounts = ['/etc:/run/workbench/x']", "belongs to the container itself"),
        ("mounts = [{source = '/etc'}]", "missing required field `target`"),
        ("mounts = [{source = '/etc', target = '/x', readonly = true}]", "'readonly' is not known here. Did you mean"),
        ("mounts = [{source = '../x', target = '/x', type = 'volume'}]", "is not the name of a volume"),
        ("cap-add = ['--x']", "is not a Linux capability"),
        ("devices = ['/etc/passwd']", "is not a device"),
        ("cpu = {package = ['x']}", "'package' is not known here. Did you mean `packages`?"),
        ("cpu = {index = 'https://example.org'}", "missing required field `packages`"),
        ("gpu.packages = []", "`gpu`: `packages` is empty: list what"),
        ("gpu.packages = ['']", "expected text"),
        ("gpu.packages = ['-r more.txt']", "'-r more.txt' is an option of an installer"),
        ("gpu.packages = ['./wheels/x.whl']", "'./wheels/x.whl' is not a requirement such as torch>=2.5"),
        ("gpu.packages = ['torch', 'jax=1']", "'jax=1' is not a requirement"),
        ("gpu.packages = ['x @ file:///x.whl']", "is on this machine only"),
        ("gpu = {packages = ['x'], index = 'ftp://example.org'}", "is not the address of a package index"),
        ("gpu = {packages = ['x'], index = 'https://[x'}", "is not the address of a package index"),
        ("gpu = {packages = ['x'], torch-backend = 'cuda12'}", "expected auto, cpu, or a version such as cu128"),
        ("images.dev.tga = 'x'", "'tga' is not known here. Did you mean `tag`?"),
        ("as-is = true", "`as-is` needs an image"),
        ("image = 'x'\nbase-image = 'y'", "contradicts"),
    ],
)
def test_wrong_values_name_their_line(tmp_path: Path, line: str, words: str) -> None:
    error = refused(tmp_path, f"[project]\nname = 'x'\n\n{TABLE}\n{line}\n")
    assert words in error.message
    assert error.message.startswith(f"pyproject.toml:{7 if 'base-image' in line else 6}: ")


def test_what_the_environments_of_the_devices_bring(tmp_path: Path) -> None:
    text = """
[tool.workbench.gpu]
packages = ["torch==2.9.0", "jax[cuda12]; sys_platform == 'linux'", "x @ https://example.org/x.whl"]
index = "https://example.org/simple"
torch-backend = "cu128"
"""
    settings = load(tmp_path, text)
    packages = ("torch==2.9.0", "jax[cuda12]; sys_platform == 'linux'", "x @ https://example.org/x.whl")
    assert settings.gpu == DevicePackages(packages, "https://example.org/simple", "cu128")
    assert settings.cpu is None
    shown = {name: (value, str(origin)) for name, value, origin in config.describe(settings)}
    words = f"{' '.join(packages)} index=https://example.org/simple torch-backend=cu128"
    assert shown["gpu"] == (words, "pyproject.toml:2")
    assert shown["cpu"] == ("-", "default")


def test_the_packages_of_a_device_stand_in_files_only(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"WORKBENCH_CPU": "torch"}).cpu is None
    assert "--cpu is not an option" in refused(tmp_path, flags={"cpu": "torch"}).message


@pytest.mark.parametrize(
    "table",
    [
        "packages = ['x'], index = 'https://ada:s3cr3t@example.org/simple'",
        "packages = ['x'], index = 'ftp://ada:s3cr3t@example.org/simple'",
        "packages = ['x @ git+https://s3cr3t@example.org/x.git']",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, table: str) -> None:
    error = refused(tmp_path, f"{TABLE}gpu = {{{table}}}\n")
    assert "~/.netrc" in error.message
    assert "s3cr3t" not in error.message + error.hint


def test_unknown_keys_name_the_nearest(tmp_path: Path) -> None:
    assert refused(tmp_path, TABLE + "base_image = 'x'\n").hint == "Did you mean `base-image`?"
    assert "Known are:" in refused(tmp_path, TABLE + "zzz = 1\n").hint
    assert refused(tmp_path, "[tool]\nworkbench = 3\n").message.startswith("pyproject.toml:2: tool.workbench is not")


def test_wrong_values_elsewhere_name_their_source(tmp_path: Path) -> None:
    assert refused(tmp_path, environ={"WORKBENCH_CPUS": "two"}).message.startswith("WORKBENCH_CPUS: `cpus`:")
    assert refused(tmp_path, flags={"memory": "lots"}).message.startswith("--memory: `memory`:")
    assert refused(tmp_path, flags={"memroy": "1g"}).hint == "Did you mean `memory`?"
    assert "needs an image" in refused(tmp_path, flags={"as_is": True}).message


def test_the_stronger_source_decides_between_image_and_base(tmp_path: Path) -> None:
    table = TABLE + "image = 'a:1'\nas-is = true\n"
    settings = load(tmp_path, table, flags={"base_image": "b:1"})
    assert (settings.image, settings.as_is, settings.base_image) == (None, False, "b:1")


def test_conda_alone_is_refused_unless_an_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [numpy]\n")
    with pytest.raises(ProjectError) as caught:
        load(tmp_path)
    assert "environment.yml" in caught.value.message
    assert "--image" in caught.value.hint
    assert load(tmp_path, flags={"image": "x"}).image == "x"
    assert load(tmp_path, files={"requirements.txt": "numpy"}).image is None


def test_dockerutils(tmp_path: Path) -> None:
    (tmp_path / "home" / "data").mkdir(parents=True)
    cfg = """[notebook]
environment = -e A=b -e FROM_HOST=$USER-x -e USER
volumes = -v {home}/data:/data:ro
          --mount type=bind,source={project_root},target=/work
network = host
args = --privileged --cap-add SYS_ADMIN --device /dev/fuse --shm-size 2g
ports = -p 6006:6006
interactive = -it
name = resero/docker-ds
tag = latest
prefix = False
[dev]
name = base
"""
    settings = load(tmp_path, files={"docker/dockerutils.cfg": cfg})
    assert settings.env == {"A": "b"}
    assert settings.pass_env == {"FROM_HOST": "ada-x", "USER": "ada"}
    assert settings.mounts == (
        Mount(f"{tmp_path}/home/data", "/data", read_only=True),
        Mount(str(tmp_path), "/work"),
    )
    assert (settings.host_network, settings.privileged, settings.shm_size) == (True, True, 2 << 30)
    assert (settings.cap_add, settings.devices) == (("SYS_ADMIN",), ("/dev/fuse",))
    assert settings.image == "resero/docker-ds:latest"
    assert [str(settings.origins[name]) for name in ("mounts./work", "image", "pass-env.FROM_HOST.USER")] == [
        "docker/dockerutils.cfg:4",
        "docker/dockerutils.cfg:9",
        "docker/dockerutils.cfg:2",
    ]
    found = project.find(tmp_path, home=Path("/nowhere/home"))
    assert config.notices(found, {"USER": "ada"}, home=tmp_path / "home") == (
        "docker/dockerutils.cfg:7: ports is not used by run-notebook.",
    )


def test_an_image_of_dockerutils_needs_its_tag(tmp_path: Path) -> None:
    error = refused(tmp_path, files={"docker/dockerutils.cfg": "[notebook]\nname=x\nprefix=False\n"})
    assert error.message == "docker/dockerutils.cfg:3: prefix=False needs a name and a tag."


def test_describe_masks_what_looks_secret(tmp_path: Path) -> None:
    table = TABLE + "memory = '1536m'\n[tool.workbench.env]\nAPI_TOKEN='s3'\nKEYBOARD='de'\nURL='https://u:s3@h/x'\n"
    settings = load(tmp_path, table, flags={"env": ["USER"], "mounts": ["/etc:/x:ro"]})
    rows = {name: (value, str(origin)) for name, value, origin in config.describe(settings)}
    assert rows["env.API_TOKEN"] == ("********", "pyproject.toml:4")
    assert rows["env.KEYBOARD"] == ("de", "pyproject.toml:5")
    assert rows["env.URL"] == ("https://********@h/x", "pyproject.toml:6")
    assert rows["pass-env.USER"] == ("********", "--env")
    assert rows["mounts./x"] == ("/etc:/x:ro", "--mount")
    assert rows["memory"] == ("1536m", "pyproject.toml:2")
    assert (rows["shm-size"], rows["image"], rows["diffs"]) == (
        ("1g", "default"),
        ("-", "default"),
        ("true", "default"),
    )
    assert "s3" not in str(rows)


def test_the_schema_names_every_setting_of_a_file() -> None:
    schema = config.schema()
    assert set(schema["properties"]) == {option.name for option in OPTIONS if option.file}
    assert schema["properties"]["shm-size"]["default"] == 1 << 30
    assert schema["additionalProperties"] is False
    assert all(table["additionalProperties"] is False for table in schema["$defs"].values())
    assert msgspec.json.decode(json.dumps(schema)) == schema


def test_every_setting_has_a_place_in_settings() -> None:
    fields = set(Settings.__dataclass_fields__) - {"origins"}
    assert fields == {option.field for option in OPTIONS if option.used} - {"env_file"}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("tool", "workbench"), 3),
        (("tool", "workbench", "port"), 4),
        (("tool", "workbench", "env", "A B"), 7),
        (("tool", "workbench", "cpu", "index"), 8),
        (("tool", "workbench", "gone"), 3),
        (("tool", "other", "x"), 10),
        (("nothing",), 1),
    ],
)
def test_line_of(path: tuple[str, ...], line: int) -> None:
    text = "# top\n\n[tool.workbench]\nport = 1\nmounts = [\n]\nenv.'A B' = '='\ncpu.index = 'x'\n\n[tool.other] # c\n"
    assert line_of(text, path) == line
