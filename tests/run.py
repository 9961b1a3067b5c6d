"""Run all checks and tests: `python3 tests/run.py [--require-all] [--provision-only] [arguments of pytest]`.

Needs Python 3.11 and nothing else. As root on Debian it installs and starts what the tests use: real engines, a
registry, a browser, a normal user. Elsewhere it runs what it can, and names at the end what it left out.
"""

import argparse
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from provision import checks, compose, dock, docker, gpu, network, packages, podman, python, registry, user
from provision.ground import SOCKETS, Ground, clear_sockets, ground, is_root, say
from provision.packages import there
from provision.programs import Ended, StepFailed


def main() -> int:
    """Set up, check, test, take down. Exit code 0 when all passed (and, with `--require-all`, all was there)."""
    options, arguments = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        with ground() as here, ExitStack() as services:
            if options.require_all:
                here.env["WORKBENCH_TEST_REQUIRE"] = "all"
            packages.install(here)
            environment = python.provide(here)
            if not options.provision_only and not options.tests_only:
                checks.static(here, environment)
            _start_services(here, services)
            if options.provision_only:
                return _show(here)
            if options.require_all:
                here.failed += [f"missing: {line}" for line in here.left_out]
            code = checks.pytest(here, environment, arguments)
            return code or bool(here.failed)
    except StepFailed as failure:
        say(f"FAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--require-all", action="store_true", help="what cannot be set up fails the run")
    parser.add_argument("--provision-only", action="store_true", help="set up, say what is there, take down")
    parser.add_argument("--tests-only", action="store_true", help="leave out style, types and documentation")
    return parser.parse_known_args()


def _interrupt(number: int, _frame: object) -> None:
    raise Ended(signal.Signals(number).name)


def _start_services(here: Ground, services: ExitStack) -> None:
    """Start each service that this machine can run; note each that it cannot."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium:
        here.offer("CHROMIUM", chromium)
    else:
        here.leave_out("CHROMIUM", "chromium is not installed")
    services.enter_context(gpu.nvidia(here))
    if not is_root():
        for name in ("DOCKER_HOST", "PODMAN_HOST", "REGISTRY", "LOCKED_REGISTRY", "DOCK", "USER", "COMPOSE"):
            here.leave_out(name, "setting it up needs root")
        return
    clear_sockets()
    SOCKETS.mkdir(mode=0o755)
    user.user(here)
    _start(here, services, "COMPOSE", "apt-get", lambda: compose.compose(here))
    _start(here, services, "NETWORK", "ip", lambda: network.namespace(here))
    _start(here, services, "DOCKER_HOST", "dockerd", lambda: docker.engine(here, user.group()))
    _start(here, services, "PODMAN_HOST", "podman", lambda: podman.engine(here, user.group()))
    lock = registry.LOCKED_PORT, registry.LOGIN
    _start(here, services, "REGISTRY", "docker-registry", lambda: registry.registry(here, "REGISTRY", registry.PORT))
    _start(here, services, "LOCKED_REGISTRY", "htpasswd", lambda: registry.registry(here, "LOCKED_REGISTRY", *lock))
    _start(here, services, "DOCK", "sshd", lambda: dock.dock(here, user.group()))


def _start(
    here: Ground, services: ExitStack, name: str, program: str, make: Callable[[], AbstractContextManager[None]]
) -> None:
    if not there(program):
        here.leave_out(name, f"{program} is not installed")
        return
    try:
        services.enter_context(make())
    except (StepFailed, OSError) as failure:
        here.leave_out(name, str(failure))


def _show(here: Ground) -> int:
    for name, value in sorted(here.env.items()):
        print(f"{name}={value}")
    say("left out: " + ("; ".join(here.left_out) or "nothing"))
    return 1 if here.left_out and "WORKBENCH_TEST_REQUIRE" in here.env else 0


if __name__ == "__main__":
    sys.exit(main())
