"""Values that the plan tests share: one project, one machine."""

from pathlib import Path

from workbench.model import DependencyFile, HostFacts, Project, Seed
from workbench.plan.build import OVERLAYS, SCRIPTS, Folders, Kit

KIT = Kit(
    "1.2.3",
    {
        "Dockerfile": b"FROM base\n",
        "inside/server.py": b"serve = 1\n",
        **{f"inside/{name}.py": b"make = 1\n" for name in (*SCRIPTS, *OVERLAYS)},
    },
)
FOLDERS = Folders(cache="/home/ada/.cache/workbench", state="/home/ada/.local/state/workbench/workbenches/x")
SEED = Seed("f" * 64, 21234)
PROJECT = Project(
    root=Path("/home/ada/analysis"),
    name="analysis",
    dependencies=(DependencyFile("requirements.txt", b"tabulate\n"), DependencyFile("apt.txt", b"graphviz\n")),
    installable=True,
    owner=(1000, 1000),
)
DOCKER = HostFacts(engine="docker", version="20.10.24", uid=1000, gid=1000, user="ada", executable="/usr/bin/python3")
LOCAL = HostFacts(
    engine="local",
    version="",
    uid=1000,
    gid=1000,
    user="ada",
    cgroup_limits=False,
    isolated_bridge=False,
    python="3.12",
    executable="/venv/bin/python",
)
