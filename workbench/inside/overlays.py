"""Makes the environments of the devices: thin virtual environments over a shared one, `devices/cpu` and `devices/gpu`.

`python -m workbench.inside.overlays DEPENDENCIES DEVICES VENV`: DEVICES is the file `devices.json`, VENV the shared
environment, in which they are made. What the shared one has is fixed; a device gets only what it lacks. When that
cannot be, the last lines say for which environment, and what to do about it; the exit code is 1.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from workbench.inside import uv
from workbench.inside.launchers import FOLDER, KINDS, refresh

PATH_FILE = "workbench-shared.pth"
SHARED = "import os, site, sys; site.addsitedir(os.path.join(sys.prefix, {up!r}))\n"
"""Content of the path file. Relative, because the local engine moves an environment to its place when it is whole."""
CHANGE = " + "
"""Before each package that uv would install: `name==version` or `name @ URL`."""
FROM = re.compile(r"==\S+ \(from (.+)\)$")
"""How uv writes the latter for a package that is in its cache."""
UNREACHED = re.compile(r"failed to fetch|request failed|error sending request|dns error|timed? ?out|certificate", re.I)


LINES = 3
"""How much of uv's words is repeated."""


class Unmet(Exception):
    """An environment that cannot be had: uv's words, and what may be done about it."""

    def __init__(self, words: Sequence[str], hint: str) -> None:
        super().__init__(hint)
        self.words = words
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Overlay:
    """One environment to make: `table` is its part of `devices.json`, `apart` what the other one brings as well."""

    kind: str
    table: Mapping[str, Any]
    shared: Path
    apart: frozenset[str]

    @property
    def venv(self) -> Path:
        """Where it is to be."""
        return self.shared / FOLDER / self.kind

    @property
    def names(self) -> frozenset[str]:
        """The packages of the table, by normalised name."""
        return frozenset(map(uv.normal, self.table["packages"]))

    @property
    def options(self) -> list[str]:
        """Where uv looks for packages."""
        index, backend = self.table["index"], self.table["torch-backend"]
        found = ["--index", index, "--index-strategy", "unsafe-first-match"] if index else []
        return [*found, *(["--torch-backend", backend] if backend else [])]

    @property
    def environ(self) -> dict[str, str]:
        """What uv is told about the machine that the environment is for."""
        driver = self.table.get("driver")
        return {"UV_CUDA_DRIVER_VERSION": driver} if driver else {}


def main(argv: Sequence[str] | None = None) -> int:
    """Create the environments; returns the exit code."""
    parser = argparse.ArgumentParser(prog="overlays", description="Create the environments of the devices.")
    parser.add_argument("dependencies", type=Path, help="folder whose pyproject.toml may configure uv")
    parser.add_argument("devices", type=Path, help="devices.json: what each environment brings")
    parser.add_argument("venv", type=Path, help="the shared environment")
    options = parser.parse_args(argv)
    for overlay in read(json.loads(options.devices.read_text(encoding="utf-8")), options.venv.absolute()):
        try:
            create(overlay, options.dependencies)
        except Unmet as unmet:
            name = KINDS[overlay.kind]
            uv.say("\n".join([*unmet.words, f"error: The {name} environment cannot be made.", f"hint: {unmet.hint}"]))
            return 1
    refresh(options.venv.absolute())
    return 0


def read(tables: Mapping[str, Any], shared: Path) -> list[Overlay]:
    """The environments that `devices.json` asks for."""
    cpu, gpu = ({*map(uv.normal, tables[kind]["packages"])} for kind in KINDS)
    return [Overlay(kind, tables[kind], shared, frozenset(cpu & gpu)) for kind in KINDS]


def create(overlay: Overlay, folder: Path) -> None:
    """Make one environment; uv runs in `folder`. Raises Unmet."""
    shared, venv = overlay.shared, overlay.venv
    system = "include-system-site-packages = true" in (shared / "pyvenv.cfg").read_text(encoding="utf-8")
    options = ["--system-site-packages"] if system else []
    run(overlay, folder, ["venv", "--quiet", *options, "--python", str(uv.interpreter(shared)), str(venv)])
    up = Path("..", "..", uv.site_packages(shared).relative_to(shared))
    (uv.site_packages(venv) / PATH_FILE).write_text(SHARED.format(up=str(up)), encoding="utf-8")
    if not overlay.names:
        return
    uv.say(f"The {KINDS[overlay.kind]} environment: {', '.join(overlay.table['packages'])}")
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        file = Path(scratch, "brought.txt")
        brought = resolve(overlay, folder, Path(scratch))
        file.write_text("\n".join(brought) + "\n", encoding="utf-8")
        if brought:
            install = ("pip", "install", "--compile-bytecode", "--no-deps", "--python", str(uv.interpreter(venv)))
            run(overlay, folder, [*install, *overlay.options, "-r", str(file)], echo=True)


def resolve(overlay: Overlay, folder: Path, scratch: Path) -> list[str]:
    """The packages, with their versions, that the device needs besides those of the shared environment.

    uv is shown stand-ins of the latter, as if they were installed: no index need have them then, and whatever way they
    came (another index, a URL, the image's own packages) does not matter. Raises Unmet.
    """
    view = scratch / "view"
    view.mkdir()
    have = {name: found for name, found in seen(overlay.shared).items() if name not in overlay.apart}
    pins = {name: f"{name}=={pinned(name, each.version, overlay)}" for name, each in have.items()}
    dependents = [pins[name] for name, each in have.items() if stand_in(view, name, each, overlay.names)]
    files = {"fixed.txt": pins.values(), "wanted.txt": [*dependents, *overlay.table["packages"]]}
    for name, lines in files.items():
        (scratch / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    # What the table names is looked up even if it is there: another index may have another build of it.
    again = [part for name in sorted(overlay.names & have.keys()) for part in ("--reinstall-package", name)]
    target = ("--target", str(view), "--python", str(uv.interpreter(overlay.shared)))
    install = ("pip", "install", "--dry-run", *target, *again, *overlay.options)
    lists = ("--constraints", str(scratch / "fixed.txt"), "-r", str(scratch / "wanted.txt"))
    words = run(overlay, folder, [*install, *lists], have=have)
    changes = [FROM.sub(r" @ \1", line.removeprefix(CHANGE)) for line in words if line.startswith(CHANGE)]
    return [change for change in changes if not has(have, change)]


def has(have: Mapping[str, Distribution], pin: str) -> bool:
    """Whether the shared environment has `name==version`, and in that very build: `2.5.1+cpu` is not `2.5.1`."""
    name, _, version = pin.partition("==")
    found = have.get(uv.normal(name))
    return found is not None and "@" not in name and Version(found.version) == Version(version)


def pinned(name: str, version: str, overlay: Overlay) -> str:
    """The version that holds. Which build of it (`+cpu`) is open for what the table names."""
    return Version(version).public if name in overlay.names else version


def seen(shared: Path) -> dict[str, Distribution]:
    """What a program in the shared environment can import, by normalised name: the first on its path wins."""
    code = "import sys; print('\\n'.join(sys.path))"
    argv = [str(uv.interpreter(shared)), "-I", "-c", code]
    path = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, Distribution] = {}
    for distribution in distributions(path=path):
        name = distribution.metadata["Name"]
        if name and _is_version(distribution.version):
            found.setdefault(uv.normal(name), distribution)
    return found


def stand_in(view: Path, name: str, distribution: Distribution, names: frozenset[str]) -> bool:
    """Write metadata as of an installed package; returns whether the package depends on any of `names`.

    Of its requirements those are left that may concern the device: for `names`, and of extras. Whatever else it
    requires, the shared environment has, or lives without.
    """
    metadata = distribution.metadata
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {distribution.version}"]
    lines += [f"Provides-Extra: {extra}" for extra in metadata.get_all("Provides-Extra") or []]
    requires = distribution.requires or []
    brought = [each for each in requires if uv.normal(each) in names]
    lines += [f"Requires-Dist: {each}" for each in requires if each in brought or "extra" in each.partition(";")[2]]
    folder = view / f"{name.replace('-', '_')}-{distribution.version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return bool(brought)


def run(
    overlay: Overlay,
    folder: Path,
    arguments: Sequence[str],
    *,
    have: Mapping[str, Distribution] | None = None,
    echo: bool = False,
) -> list[str]:
    """Run uv; returns its words, which are told as they come if `echo`. Raises Unmet when it fails."""
    argv = [uv.uv_program(), *arguments]
    words = []
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=uv.environment(overlay.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as child:
        for line in child.stdout or ():
            words.append(line.rstrip())
            if echo:
                uv.say(words[-1])
    if child.returncode != 0:
        raise Unmet([] if echo else essence(words), hint(overlay, "\n".join(words), have or {}))
    return words


def essence(words: Sequence[str]) -> list[str]:
    """The first lines of what went wrong, each sentence on one line: an engine shows only a few of the last ones."""
    text = "\n".join(line for line in words if not line.startswith("Using "))
    return re.sub(r"\n {6,}", " ", text).splitlines()[:LINES]


def hint(overlay: Overlay, words: str, have: Mapping[str, Distribution]) -> str:
    """What to change, as far as uv's words tell."""
    table = f"[tool.workbench.{overlay.kind}]"
    if UNREACHED.search(words):
        return "A package index did not answer: check the network, the proxy and the certificates."
    fixed = next(_fixed(words, have), None)
    if fixed:
        name, version = fixed
        ways = [f"ask for what fits it in {table}", "for another one in the project's dependencies"]
        ways += [] if name in uv.KERNEL else ["list it in both tables"]
        said = f"{', '.join(ways[:-1])}, or {ways[-1]}"
        return f"{name} is fixed to {version} by the shared environment: {said}."
    return f"Correct `packages` in {table}; its `index` names a further package index."


def _fixed(words: str, have: Mapping[str, Distribution]) -> Iterator[tuple[str, str]]:
    """The packages of the shared environment that uv names with their version, in uv's order."""
    for match in re.finditer(r"([\w.-]+)==([\w.+!-]*\w)", words):
        name = uv.normal(match[1])
        if _is_version(match[2]) and has(have, match[0]):
            yield name, have[name].version


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
