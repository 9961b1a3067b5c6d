"""Our own part of an image or environment, read from this installation."""

from functools import cache
from pathlib import Path

from workbench import __version__, share
from workbench.plan.build import Kit

_PACKAGE = Path(__file__).parent


@cache
def read_kit() -> Kit:
    """The Dockerfile and its files, the code that runs inside, the kernelspecs."""
    files = {f"workbench/{name}": content for name, content in _files(share.folder("docker") / "notebook").items()}
    files["Dockerfile"] = files.pop("workbench/Dockerfile")
    files |= {f"inside/{name}": content for name, content in _files(_PACKAGE / "inside").items()}
    files |= {f"notebook/{name}": content for name, content in _files(_PACKAGE / "notebook").items()}
    files["package/__init__.py"] = (_PACKAGE / "__init__.py").read_bytes()
    files |= {f"kernels/{name}": content for name, content in _files(share.folder("kernels")).items()}
    return Kit(__version__, files)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
