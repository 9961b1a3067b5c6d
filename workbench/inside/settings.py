"""Jupyter's configuration for a workbench, as plain values: what is fixed, and what the user may change."""

import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_dir

from workbench.inside import devices
from workbench.inside.place import Place
from workbench.inside.report import write_json

Sections = dict[str, dict[str, Any]]

LEFT_OUT = ("jupytext", "jupyterlab_jupytext", "notebook", "notebook_shim")
"""Server extensions that cost start time or replace the contents manager; the last two are the classic interface's."""
NEVER = ("jupyter_server_proxy",)
"""Server extensions that are off whoever asks for them: this one, a library here, leads to any port and host."""
LABEXTENSIONS = Path(__file__).resolve().parents[1] / "notebook" / "labextensions"
"""Where the panel's half in the browser lies."""
LAB_DEFAULTS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
"""Defaults of JupyterLab's own settings: it does not ask whether there shall be news.

`autoStartDefaultKernel` stays off: it would start Python for notebooks of other languages too, and a save would then
rewrite what they say of their kernel."""
GUARDED = frozenset(
    {
        *(("ServerApp", name) for name in ("sock", "password", "base_url", "allow_unauthenticated_access")),
        *(("ServerApp", name) for name in ("token", "authorizer_class", "certfile", "keyfile")),
    }
)
"""Settings that are not ours to fix but would open the server, or move it to where nobody looks for it."""


def fixed(place: Place, token: str) -> Sections:
    """What neither an option nor a configuration file can change: who may come in, and where."""
    return {
        # The most derived section: a value in IdentityProvider is weaker.
        "PasswordIdentityProvider": {"token": token},
        "ServerApp": {
            "ip": place.ip,
            "port": place.port,
            "port_retries": 0,
            # With an address like 0.0.0.0 Jupyter would accept any Host header, and so DNS rebinding.
            "allow_remote_access": False,
            "local_hostnames": ["localhost", f"{place.name}.localhost"],
            "root_dir": str(place.root),
            "identity_provider_class": "jupyter_server.auth.identity.PasswordIdentityProvider",
            # From the token, so that a browser stays logged in when the container is recreated, and a cookie
            # of one workbench is worth nothing at another.
            "cookie_secret": hashlib.sha256(b"workbench cookie " + token.encode()).digest(),
            "open_browser": False,
        },
    }


def defaults(place: Place) -> Sections:
    """What Jupyter's options and the user's own configuration files may still change."""
    off = dict.fromkeys(LEFT_OUT[:2] if classic(place) else LEFT_OUT, False)
    return {
        "Application": {"log_level": "WARN"},
        "ServerApp": {
            "allow_root": True,
            "jpserver_extensions": {
                "jupyterlab": True,
                "workbench.inside.diffs": True,
                "workbench.inside.control": place.panel,
                "workbench.inside.services": bool(place.services),
                **off,
            },
            "kernel_manager_class": "workbench.inside.app.KernelManagers",
            "session_manager_class": "workbench.inside.app.SessionManager",
            # Not a login shell: that would put the system's PATH before the project's.
            "terminado_settings": {"shell_command": devices.shell(place, os.environ.get("SHELL") or "/bin/sh")},
            "tornado_settings": {"page_config_data": {"buildAvailable": False, "buildCheck": False}},
        },
        "KernelSpecManager": {"ensure_native_kernel": False},
        "ConnectionFileMixin": {"transport": _transport(place.run)},
        "LabApp": {
            "default_url": "/tree" if classic(place) else "/lab",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
            "extra_labextensions_path": [str(LABEXTENSIONS)] if place.panel else [],
            "workspaces_dir": str(Path(jupyter_config_dir(), "lab", "workspaces", place.name)),
        },
    }


def write_lab_defaults(place: Place) -> Path:
    """Write the defaults of JupyterLab's pages; returns the folder that belongs on `JUPYTER_CONFIG_PATH`."""
    folder = place.run / "config" / "labconfig"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "default_setting_overrides.json", LAB_DEFAULTS)
    off = ["@jupyterhub/jupyter-server-proxy", *([] if classic(place) else ["@jupyter-notebook/lab-extension"])]
    write_json(folder / "page_config.json", {"disabledExtensions": dict.fromkeys(off, True)})
    return folder.parent


def classic(place: Place) -> bool:
    """Whether Jupyter Notebook's pages are served: wanted, and installed."""
    return place.classic and find_spec("notebook") is not None


def _transport(run: Path) -> str:
    """Unix sockets in the run folder, which only this user can enter, where their path is not too long for one."""
    longest = run / "jupyter" / "kernel-01234567-89ab-cdef-0123-456789abcdef-ipc-5"
    return "ipc" if os.name == "posix" and len(os.fsencode(longest)) < 100 else "tcp"


def forbidden(asked: Mapping[str, Mapping[str, Any]], ours: Sections) -> list[str]:
    """Which of the settings that were asked for (`Class.name`) are not the user's to change."""
    return sorted(
        f"{section}.{name}"
        for section, values in asked.items()
        for name in values
        if name in ours.get(section, {}) or (section, name) in GUARDED or section.endswith("IdentityProvider")
    )
