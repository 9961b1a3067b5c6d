"""Prints what the project needs to be built, to run and to be tested, as a requirements file; not the project itself.

Read are pyproject.toml, requirements.txt and requirements-test.txt, as far as they are there. What stands elsewhere
(setup.py, a lock file) belongs into requirements.txt, say by
`uv export --no-emit-project --no-hashes > requirements.txt`.
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10 and older
    from pip._vendor import tomli as tomllib

OWN = re.compile(r"((-e|--editable)[\s=]*)?\./?(\[[^]]*\])?\s*(#.*)?")
"""A line such as `-e .[test]`: the project itself, which is not here."""
LATER = ("wheel", "editables")
"""What some tools that build packages (older setuptools, hatchling) ask for only when they are at it."""
TESTS = ("test", "dev")
"""What a project calls the extra or the group of what its tests need."""


def main():
    """Write the list to standard output."""
    file = Path("pyproject.toml")
    table = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    build, project = table.get("build-system", {}), table.get("project", {})
    lines = [*build.get("requires", ["setuptools"]), *LATER, *project.get("dependencies", [])]
    for name in TESTS:
        lines += extra(project, name)
        lines += group(table.get("dependency-groups", {}), name)
    for name in ("requirements.txt", "requirements-test.txt"):
        if Path(name).exists():
            lines += [each for each in Path(name).read_text(encoding="utf-8").splitlines() if not OWN.fullmatch(each)]
    sys.stdout.write("\n".join(lines) + "\n")


def extra(project, name):
    """The requirements of an extra, with those of the extras that it names, as in `dev = ["product[test]"]`."""
    for each in project.get("optional-dependencies", {}).get(name, []):
        named = re.fullmatch(rf"{re.escape(project['name'])}\s*\[([^]]*)\]", each)
        inner = [extra(project, one.strip()) for one in named[1].split(",")] if named else [[each]]
        yield from (one for some in inner for one in some)


def group(groups, name):
    """The requirements of a dependency group, with those of the groups that it includes."""
    for each in groups.get(name, []):
        yield from [each] if isinstance(each, str) else group(groups, each["include-group"])


if __name__ == "__main__":
    main()
