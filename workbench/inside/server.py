"""The start of everything inside: `python -m workbench.inside.server`. Told all by the environment (`place`)."""

import gc
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.inside import delivery, devices, install, kernels, saves, settings, uv
from workbench.inside.control import packages
from workbench.inside.place import DEVICES, Place, read_place
from workbench.inside.report import say

PACKAGE = Path(__file__).resolve().parents[1]
"""What kernels import as `workbench`."""
PATH_FILE = "zz-workbench.pth"
"""Named so that it is the last of an environment's path files."""
UNUSED_FORMATS = ("fqdn", "isoduration", "rfc3987_syntax", "uri_template", "webcolors")


def main() -> int:
    """Serve until told to stop. Exit codes: 0 after a stop, 2 for a wrong environment or option, 1 otherwise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        place = read_place(os.environ)
    except ValueError as error:
        say(str(error))
        return 2
    if place.classic and not settings.classic(place):
        say("Jupyter Notebook is not installed; JupyterLab is served")
    place.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    delivered = threading.Event()
    project_ready = install.begin(place, delivered)
    if env := place.env:
        # Before the first kernel: it waits for the install, too.
        project_ready.add_done_callback(lambda _: packages.remember(env))
    threading.Thread(target=_recover, args=(place,), daemon=True).start()
    _point_to(place)
    with _quick_imports():
        from workbench.inside import app
    try:
        given = delivery.wait_for(place.run)
        os.environ.update(delivery.apply(given, place.run))
        _write_sourced(place)
        delivered.set()
        app.serve(app.Terms(place, given.token, project_ready, given.returning))
    except (delivery.NoDeliveryError, app.OptionError) as error:
        say(str(error))
        return 2 if isinstance(error, app.OptionError) else 1
    return 0


def _point_to(place: Place) -> None:
    """Make this server's children use the project's environment and our kernelspecs."""
    os.environ["JUPYTER_RUNTIME_DIR"] = str(place.run / "jupyter")
    _lend(place)
    _put_first("JUPYTER_PATH", kernels.write_kernelspecs(place, kernels.templates()))
    _put_first("JUPYTER_CONFIG_PATH", settings.write_lab_defaults(place))
    if place.env and place.python:
        os.environ["VIRTUAL_ENV"] = str(place.env)
        _put_first("PATH", place.python.parent)


def _lend(place: Place) -> None:
    """Have kernels find `workbench`: last on their path, so that one which the project installs itself wins."""
    folder = place.run / "python"
    folder.mkdir(exist_ok=True)
    link = folder / PACKAGE.name
    link.unlink(missing_ok=True)
    link.symlink_to(PACKAGE, target_is_directory=True)
    if place.env is None:
        return
    file, line = uv.site_packages(place.env) / PATH_FILE, f"{folder}\n"
    with suppress(OSError):  # an environment that this user cannot write
        if not file.exists() or file.read_text(encoding="utf-8") != line:
            file.write_text(line, encoding="utf-8")


def _write_sourced(place: Place) -> None:
    """Write what shells, and commands that an engine starts beside the server, source to be on a device."""
    for device in DEVICES:
        text = devices.sourced(place, device, os.environ.get(devices.CUDA))
        delivery.write_private(devices.file(place, device), text)


def _put_first(variable: str, folder: Path) -> None:
    others = [other for other in os.environ.get(variable, "").split(os.pathsep) if other and other != str(folder)]
    os.environ[variable] = os.pathsep.join([str(folder), *others])


@contextmanager
def _quick_imports() -> Iterator[None]:
    """Import without what costs time and serves no one here; together half a second.

    JupyterLab runs yarn where it finds node; jsonschema loads checks of formats that no schema of Jupyter uses, one
    of which builds a grammar (1.5 s); the list of blocked extensions loads an HTTP client that waits for its first
    use here; and the garbage collector walks again and again through modules that stay.
    """
    path = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.devnull
    sys.modules |= dict.fromkeys(UNUSED_FORMATS)  # type: ignore[arg-type]  # None: an import of it fails
    _import_late("requests")
    gc.disable()
    try:
        yield
    finally:
        os.environ["PATH"] = path
        gc.enable()
        gc.freeze()


def _import_late(name: str) -> None:
    """Have a module loaded at the first use of its content, by the standard library's own means."""
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _recover(place: Place) -> None:
    for path in saves.recover(place.root):
        say(f"put back {path.relative_to(place.root)}, which a killed server had left half-written")


if __name__ == "__main__":
    sys.exit(main())
