"""What a new machine does when it first starts: text for cloud-init. Pure.

All that varies is a number, or a word in a list that no shell reads; the scripts are fixed.
"""

import json

from workbench.labels import NAME, PROJECT

FOLDER = "/usr/local/lib/workbench"
SETUP = """\
#!/bin/sh
# USER [gpu]: installs the engine and lets USER use it; with `gpu`, has containers see NVIDIA's GPUs.
set -eu
user=$1 gpu=${2-}
export DEBIAN_FRONTEND=noninteractive
# Early, where only the owner of the machine can read it: whoever waits can know the machine by it.
{
    echo "-----BEGIN SSH HOST KEY KEYS-----"
    cat /etc/ssh/ssh_host_*_key.pub
    echo "-----END SSH HOST KEY KEYS-----"
} > /dev/console || true
# First: should the rest fail, the machine does not run for ever.
if [ -e /etc/systemd/system/workbench-idle.timer ]; then
    systemctl daemon-reload
    systemctl enable --now workbench-idle.timer
    systemctl try-reload-or-restart ssh || true
fi
# A new machine updates itself at the same time, and mirrors have bad moments.
again() {
    for pause in 5 10 20 40 80; do
        if "$@"; then return; fi
        sleep "$pause"
    done
    "$@"
}
install() { again apt-get -o DPkg::Lock::Timeout=300 install --yes "$@"; }
again apt-get update
install curl gnupg rsync zstd
command -v docker > /dev/null || install docker.io docker-buildx
usermod --append --groups docker "$user"
if [ "$gpu" = gpu ]; then
    if ! command -v nvidia-ctk > /dev/null; then
        keys=/usr/share/keyrings/nvidia-container-toolkit.gpg place=https://nvidia.github.io/libnvidia-container
        curl --fail --silent --show-error --location --retry 5 "$place/gpgkey" | gpg --dearmor --yes --output "$keys"
        echo "deb [signed-by=$keys] $place/stable/deb/$(dpkg --print-architecture) /" \\
            > /etc/apt/sources.list.d/nvidia-container-toolkit.list
        again apt-get update
        install nvidia-container-toolkit
    fi
    nvidia-ctk runtime configure --runtime=docker
    systemctl restart docker
fi
systemctl enable --now docker
# Nobody could use it until now.
rm -f /run/workbench-busy
"""
IDLE = f"""\
#!/bin/sh
# SECONDS: powers the machine off when for that long no container of Workbench has run and nobody was here by ssh.
set -eu
mark=/run/workbench-busy
# Since the machine started: the clock may be set meanwhile.
now=$(cut -d. -f1 /proc/uptime)
busy() {{
    for label in {NAME} {PROJECT}; do
        [ -z "$(timeout 20 docker ps --quiet --filter "label=$label" 2> /dev/null)" ] || return 0
    done
    [ -n "$(ss --no-header --numeric --tcp state established '( sport = :22 )')" ]
}}
if [ ! -e "$mark" ] || busy; then
    echo "$now" > "$mark"
elif [ $((now - $(cat "$mark"))) -ge "$1" ]; then
    systemctl poweroff
fi
"""
SERVICE = """\
[Unit]
Description=Stop this machine when no workbench is active

[Service]
Type=oneshot
ExecStart=/bin/sh {folder}/idle {seconds}
"""
TIMER = """\
[Unit]
Description=Look every minute whether a workbench is active

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min

[Install]
WantedBy=timers.target
"""
SSHD = """\
# A connection whose other side is gone is nobody's use of the machine.
ClientAliveInterval 60
ClientAliveCountMax 5
"""


def text(user: str, *, gpu: bool, idle_stop: int = 0) -> str:
    """The user data of a machine: `idle_stop` in seconds, 0 for never."""
    files = {f"{FOLDER}/setup": SETUP}
    if idle_stop:
        files |= {
            f"{FOLDER}/idle": IDLE,
            "/etc/systemd/system/workbench-idle.service": SERVICE.format(folder=FOLDER, seconds=int(idle_stop)),
            "/etc/systemd/system/workbench-idle.timer": TIMER,
            "/etc/ssh/sshd_config.d/60-workbench.conf": SSHD,
        }
    setup = ["sh", f"{FOLDER}/setup", user, *(["gpu"] if gpu else [])]
    document = {
        "write_files": [{"path": path, "permissions": "0644", "content": each} for path, each in files.items()],
        "runcmd": [setup],
    }
    # JSON is YAML, and its quotes hold whatever is in them.
    return f"#cloud-config\n{json.dumps(document, indent=1)}\n"
