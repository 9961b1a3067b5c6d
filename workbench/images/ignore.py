"""`workbench build --init`: a good `.dockerignore`."""

from pathlib import Path

from workbench import files
from workbench.images.context import IGNORE

TEXT = """\
# What builds of images do not need: less to send, and nothing secret in a layer.
# Later lines win; `!NAME` takes a name back in.

# version control, editors, this machine
.git
.gitignore
.idea
.vscode
.DS_Store

# environments and caches
.venv
venv
.env
**/__pycache__
**/*.pyc
**/.ipynb_checkpoints
.pytest_cache
.mypy_cache
.ruff_cache
.tox
.nox
node_modules

# what a build of the package leaves
build
dist
*.egg-info
**/*.egg-info

# copies of notebooks, results, data
.diffs
**/.diffs
htmlcov
.coverage
data
*.log

# secrets
*.pem
*.key
.netrc
.aws
.ssh
"""


def write(root: Path) -> str:
    """Write it unless there is one; what was done, in a sentence. One that is there is the user's, and stays."""
    file = root / IGNORE
    wanted = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    if not file.exists():
        files.replace(file, TEXT.encode())
        return f"{IGNORE}: written, {len(wanted)} patterns. Take out what your images need (data, build)."
    there = {line.strip().rstrip("/") for line in file.read_text("utf-8", "replace").splitlines()}
    lacking = [line for line in wanted if line not in there]
    return f"{IGNORE} is there and stays as it is." + (f" It lacks: {' '.join(lacking)}" if lacking else "")
