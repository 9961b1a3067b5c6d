"""unison of this side, confined, in a conversation with the other side, which is not: what is started, and how."""

import sys
from collections.abc import Sequence
from pathlib import Path

from workbench import process
from workbench.docks.sync import confined, unison
from workbench.process import Conversation

JOINT = "#!/bin/sh\ncat <&3 4>&- &\nexec cat >&4 3<&-\n"
"""In the place of ssh, which is not confined: hands on what unison and ssh say to each other."""


def talk(
    program: str,
    root: Path,
    memory: Path,
    copy: str,
    far: Sequence[str],
    *,
    patterns: Sequence[str] = (),
    live: bool = False,
    trusted: bool = False,
) -> Conversation:
    """Start both. `far` is the command of the other side, `copy` its folder; beside `memory` lie the joint and the log.

    `trusted`: the program is not confined.
    """
    joint = memory.with_name("joint")
    joint.write_text(JOINT)
    joint.chmod(0o700)
    words = unison.arguments(str(root), copy, str(joint), patterns, live=live)
    run = (sys.executable, "-P", "-m", "workbench.docks.sync.confined")

    def near(reads: int, writes: int) -> tuple[str, ...]:
        return (*run, str(reads), str(writes), str(joint), str(root), str(memory), "--", program, *words)

    env = process.environment(
        {
            "UNISON": str(memory),
            "HOME": str(memory),
            "UNISONLOCALHOSTNAME": "here",
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            confined.TRUSTED: "1" if trusted else "",
        }
    )
    return process.join(near, far, env=env, log=memory.with_name("log"))
