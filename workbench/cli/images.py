"""The images of a project: build, run, publish, pull, transfer, list. Also under dockerutils' names."""

import json as json_
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench import __version__
from workbench.cli import helped
from workbench.cli.completion import builds, images

if TYPE_CHECKING:
    from workbench.cli.terminal import Terminal
    from workbench.images.listing import Listed
    from workbench.images.run import Started
    from workbench.images.spec import Said
    from workbench.images.survey import Survey

Command = TypeVar("Command", bound=Callable[..., Any])


def _shared(*, plan: bool = True) -> Callable[[Command], Command]:
    """The options that these commands have in common."""
    options = [
        click.option("--path", "-C", default=".", type=click.Path(path_type=Path), help="The project; default: here."),
        click.option("--engine", type=click.Choice(["docker", "podman"]), help="Which engine; default: what answers."),
        *([click.option("--dry-run", is_flag=True, help="Print the commands, carry out none.")] if plan else []),
        click.option("--json", is_flag=True, help="One JSON document on standard output."),
        click.option("--verbose", "-v", count=True, help="Show the tools' own output."),
        click.option("--quiet", "-q", is_flag=True, help="Errors only."),
    ]

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


TRUST = click.option("--trust", is_flag=True, help="Approve what the project's files ask of this machine.")
NAME = click.option("--image-name", "--image_name", "-i", help="Call the image this.")
TAG = click.option("--image-tag", "--image_tag", "-t", help="Tag it with this instead of your name.")


@contextmanager
def _at_work(given: Mapping[str, Any]) -> "Iterator[tuple[Survey, Terminal]]":
    """The project's images on the engine, and the terminal; signals end the work in order."""
    from workbench.cli.signals import as_interrupt
    from workbench.cli.terminal import ui
    from workbench.images.survey import environment, survey

    verbosity = -1 if given["quiet"] else given["verbose"]
    terminal = ui(verbosity, interactive=not given["json"], commands=not given["quiet"])
    with as_interrupt(), survey(given["path"], given["engine"] or "", environment()) as found:
        yield found, terminal


@click.command(
    "build",
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=(
        "dev  # docker/dev/Dockerfile, and its base",
        "all  # every folder, docker/base first",
        "dev --dry-run  # only show the commands",
        "clean  # remove the project's images",
    ),
)
@click.argument("images", nargs=-1, metavar="IMAGE…|all|clean", shell_complete=builds)
@click.option("--force-build-base", "--force_build_base", "-f", "base", is_flag=True, help="Build the base along.")
@NAME
@TAG
@click.option("--pull-base", "--pull_base", "-p", "pull", is_flag=True, help="Look for newer images to start from.")
@click.option("--no-cache", is_flag=True, help="Use nothing of earlier builds.")
@click.option("--init", is_flag=True, help="Write a good .dockerignore, and build nothing.")
@TRUST
@_shared()
def build_command(images: tuple[str, ...], **given: Any) -> None:
    """Build images of the project.

    Each folder of docker/ with a Dockerfile is one, called PROJECT-FOLDER:USER.
    """
    from workbench.images import build
    from workbench.images.survey import require_names

    if given["init"]:
        _init(given["path"])
        return
    with _at_work(given) as (found, terminal):
        names = require_names(found.catalogue, images)
        if names == ("clean",):
            if given["dry_run"]:
                _print_removals(found)
                return
            gone = list(build.clean(found, terminal))
            terminal.note(f"Removed {len(gone)}." if gone else "There was nothing to remove.")
            _json(given, gone)
            return
        request = build.BuildRequest(names, _typed_name(given), given["base"], given["pull"], given["trust"])
        if given["dry_run"]:
            _print_builds(found, request)
            return
        described = []
        for reference, image in build.build(found, request, terminal):
            terminal.note(f"Built {reference} ({_size(image.size)})")
            described.append({"image": reference, "id": image.id, "size": image.size})
        _json(given, described)


@click.command(
    "run",
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=("dev", "dev -- pytest -x", "app --detach --open", "dev --gpu --dry-run  # only show the command"),
)
@click.argument("image", required=False, shell_complete=images)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGS…]]")
@click.option("--args", "-a", help="Further options of `docker run`, as one text.")
@click.option("--keep", "-k", is_flag=True, help="Keep the container when it has ended.")
@click.option("--command", "-c", "text", help="The command to run, as one text.")
@click.option("--network", "-n", help="The network: host, none, container:NAME, or a name.")
@click.option("--use-gpu", "--gpu", "-g", "gpu", is_flag=True, help="With the GPU.")
@click.option("--env", "-e", multiple=True, metavar="K=V", help="Environment variable (repeatable).")
@click.option("--detach", "-d", is_flag=True, help="Leave it running and return.")
@click.option(
    "--restart", metavar="POLICY", help="always, unless-stopped, on-failure[:N]: when the engine restarts it."
)
@click.option("--log-opt", multiple=True, metavar="K=V", help="Option of its log, such as max-size=10m (repeatable).")
@click.option("--open", "open_", is_flag=True, help="Open the browser at its first published port.")
@TRUST
@_shared()
def run_command(image: str | None, command: tuple[str, ...], **given: Any) -> int:
    """Start a container of an image of the project.

    It has what is configured for the image, and this terminal unless you leave it running.
    """
    from workbench.images import run
    from workbench.images.survey import require_names

    with _at_work(given) as (found, terminal):
        [name] = require_names(found.catalogue, [image] if image else [])
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        typed = _typed_run(command, given)
        request = run.RunRequest(name, typed, given["keep"], given["trust"], tty)
        if given["dry_run"]:
            _print_run(found, request)
            return 0
        run.approve(found, request, terminal)
        planned, notices = run.plan(found, request)
        for notice in notices:
            terminal.note(notice)
        from workbench.plan.image_commands import run_command as words

        if given["open_"]:
            run.check_port(planned)
        terminal.command(words(planned, found.store.name))
        if planned.spec.interactive:
            if given["open_"]:
                run.when_reached(found, planned, terminal, lambda url: _browse(url, terminal))
            return run.attached(found, planned)
        started = run.detached(found, planned)
        url = run.address(found, planned) if given["open_"] else None
        _tell_started(started, url, found.store.name, given, terminal)
        return 0


@click.command(
    "publish",
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=("app", "app --to quay.io/team/app:1.2", "app --dry-run  # only show the commands"),
)
@click.argument("image", required=False, shell_complete=images)
@NAME
@TAG
@click.option("--to", metavar="REF", help="The name in a registry, in place of the configured one.")
@TRUST
@_shared()
def publish_command(image: str | None, **given: Any) -> None:
    """Push an image of the project to its registry.

    What is printed is its name with the digest that it has there. Where it goes stands in its publication-tag. You
    are logged in as with `docker login`; for image_repo=aws the credentials are those of the AWS tools.
    """
    from workbench.cli.planned import line
    from workbench.images import publish
    from workbench.images.survey import require_names

    with _at_work(given) as (found, terminal):
        [name] = require_names(found.catalogue, [image] if image else [])
        request = publish.PublishRequest(name, _typed_name(given), _reference(given["to"]), given["trust"])
        if given["dry_run"]:
            click.echo("\n".join(map(line, publish.commands(found, request))))
            return
        done = publish.publish(found, request, terminal)
        if given["json"]:
            _json(given, {"image": done.image, "reference": done.reference, "digest": done.digest})
        else:
            click.echo(done.pinned)


@click.command(
    "pull", cls=helped.Command, context_settings=helped.HELP, examples=("app", "app --from quay.io/team/app:1.2")
)
@click.argument("image", required=False, shell_complete=images)
@click.option("--from", "to", metavar="REF", help="The name in a registry, in place of the configured one.")
@_shared(plan=False)
def pull_command(image: str | None, **given: Any) -> None:
    """Fetch an image of the project from where it is published.

    It is called here as if it had been built here.
    """
    from workbench.images import publish
    from workbench.images.survey import require_names

    with _at_work(given) as (found, terminal):
        [name] = require_names(found.catalogue, [image] if image else [])
        local = publish.pull(found, publish.PublishRequest(name, to=_reference(given["to"])), terminal)
        made = found.store.image(local)
        _json(given, {"image": local, "id": made.id if made else None})
        terminal.note(f"{local} is here.")


@click.command(
    "transfer",
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=("dev ada@box.example.org", "ubuntu:24.04 box  # a name of ~/.ssh/config", "dev box --sudo"),
)
@click.argument("image", shell_complete=images)
@click.argument("host")
@click.option("--sudo", is_flag=True, help="The engine there is root's: use sudo (without a password).")
@_shared()
def transfer_command(image: str, host: str, **given: Any) -> None:
    """Send an image to another machine by ssh: the layers that it lacks.

    IMAGE is an image of the project, or any image here; HOST is [USER@]HOST[:PORT], or a name of ~/.ssh/config.
    """
    from dataclasses import asdict

    from workbench import show, ssh
    from workbench.images import transfer

    machine = ssh.host(host)
    with _at_work(given) as (found, terminal), ssh.connect(machine) as connection:
        is_ours = image in found.catalogue.names
        reference = found.reference(found.spec(image)) if is_ours else str(_reference(image))
        if is_ours:
            found.built(image, reference)
        text = _whole(found, reference, connection.plain_argv(), sudo=given["sudo"])
        if given["dry_run"]:
            click.echo(text)
            return
        if not given["quiet"]:
            terminal.note(f"$ {text}   # but for the layers that are there")
        done = transfer.transfer(found.store, reference, connection, terminal, sudo=given["sudo"])
        _json(given, asdict(done))
        kept = f"; {show.size(done.kept)} were there already" if done.kept else ""
        spent = show.duration(done.seconds)
        terminal.note(f"{reference} is on {machine}: {show.size(done.sent)} sent in {spent}{kept}.")


@click.command(
    "images",
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=("", "-C ~/analysis --json  # of another project"),
)
@_shared(plan=False)
def images_command(**given: Any) -> None:
    """List the project's images, and what changed since they were built."""
    from workbench.cli.terminal import table
    from workbench.images import listing

    with _at_work(given) as (found, _):
        listed = list(listing.listing(found))
    if given["json"]:
        _json(given, [_described(each) for each in listed])
    elif listed:
        table(IMAGES_HEAD, map(_row, listed))
    else:
        click.echo("This project has no images. docker/NAME/Dockerfile makes one: say docker/dev.", err=True)


IMAGES_HEAD = ("IMAGE", "NAME", "SIZE", "AGE", "DIGEST", "STATE")


def _row(listed: "Listed") -> tuple[str, ...]:
    import time

    from workbench import show

    image = listed.image
    if image is None:
        return (listed.name, listed.reference, "-", "-", "-", listed.problem or "not here")
    age = show.duration(time.time() - image.made) if image.made else "-"
    digest = image.digests[0].partition("@")[2] if image.digests else image.id
    state = ", ".join(listed.changed) or "as built"
    return (listed.name, listed.reference, show.size(image.size), age, digest[:19], state)


def _described(listed: "Listed") -> dict[str, object]:
    image = listed.image
    return {
        "name": listed.name,
        "image": listed.reference,
        "id": image.id if image else None,
        "size": image.size if image else None,
        "made": image.made if image else None,
        "digests": list(image.digests) if image else [],
        "changed": list(listed.changed),
        "problem": listed.problem or None,
    }


def _typed_name(given: Mapping[str, Any]) -> "tuple[Said, ...]":
    """What options say of the name and the build."""
    wanted = {"name": given["image_name"], "tag": given["image_tag"]}
    said = tuple(_said(key, value, f"--image-{key}") for key, value in wanted.items() if value)
    return (*said, _said("cache", False, "--no-cache")) if given.get("no_cache") else said


def _typed_run(command: tuple[str, ...], given: Mapping[str, Any]) -> "tuple[Said, ...]":
    """What the command line says in the words of the configuration."""
    from workbench.images import flags

    found = [*_docker_options(given["args"], "--args")]
    for option, key in (("env", "env"), ("log_opt", "log-opts")):
        flag = f"--{option.replace('_', '-')}"
        for each in given[option]:
            name, equals, value = each.partition("=")
            if not equals:
                raise click.BadParameter(f"{each!r} is not NAME=VALUE", param_hint=flag)
            found.append(_said(key, {name: value}, flag))
    found += [_said(key, given[key], f"--{key}") for key in ("network", "restart") if given[key]]
    if given["gpu"]:
        found.append(_said("device", "gpu", "--gpu"))
    if given["detach"] or given["restart"]:
        found.append(_said("interactive", False, "--detach"))
    try:
        words = list(command) or (flags.words(given["text"]) if given["text"] else [])
    except flags.FlagError as error:
        raise click.BadParameter(str(error), param_hint="--command") from error
    return (*found, _said("cmd", words, "--command")) if words else tuple(found)


def _docker_options(text: str | None, flag: str) -> "Iterator[Said]":
    from workbench.errors import ConfigError
    from workbench.images import flags
    from workbench.images.spec import Said
    from workbench.model import Origin

    try:
        for key, value, word in flags.read(text or "", flags.RUN):
            taken_over = key == "env" and value == {word: f"${word}"}
            yield Said(key, value, Origin("environment" if taken_over else "flag", flag))
    except flags.FlagError as error:
        raise ConfigError(f"{flag}: {error}", error.hint or "Correct it.") from error


def _said(key: str, value: object, flag: str) -> "Said":
    from workbench.images.spec import Said
    from workbench.model import Origin

    return Said(key, value, Origin("flag", flag))


def _reference(text: str | None) -> str | None:
    from workbench.errors import ConfigError
    from workbench.values import reference_pattern

    if text is not None and not reference_pattern.fullmatch(text):
        raise ConfigError(f"{text!r} is not the name of an image.", "It looks like quay.io/team/image:1.0.")
    return text


def _print_builds(found: "Survey", request: Any) -> None:
    from workbench.cli.planned import line
    from workbench.images import build
    from workbench.plan.image_commands import build_command as words

    for spec in build.order(found, request):
        for each in build.plan(found, spec, request).builds:
            click.echo(line(words(each, found.store.name)))


def _print_removals(found: "Survey") -> None:
    from workbench.cli.planned import line
    from workbench.images import build
    from workbench.plan.image_commands import remove_command as words

    for name in build.own_images(found):
        click.echo(line(words(name, found.store.name)))


def _print_run(found: "Survey", request: Any) -> None:
    from workbench.cli.planned import line
    from workbench.images import run
    from workbench.plan.image_commands import run_command as words

    click.echo(line(words(run.plan(found, request)[0], found.store.name)))


def _whole(found: "Survey", reference: str, ssh: tuple[str, ...], *, sudo: bool) -> str:
    from workbench.images.transfer import load_text
    from workbench.plan.image_commands import transfer_line

    return transfer_line(reference, ssh, load_text(sudo=sudo), found.store.name)


def _tell_started(
    started: "Started", url: str | None, program: str, given: Mapping[str, Any], terminal: "Terminal"
) -> None:
    if given["json"]:
        _json(given, {"container": started.name, "image": started.image, "ports": dict(started.ports), "url": url})
        return
    click.echo(started.name)
    for port, place in started.ports.items():
        terminal.note(f"  port {port} at {place}")
    terminal.note(f"Its output: {program} logs -f {started.name}   It ends with: {program} stop {started.name}")
    if url:
        _browse(url, terminal)


def _browse(url: str, terminal: "Terminal") -> None:
    """Open a page where there is a screen; say where it is in any case."""
    import webbrowser

    from workbench import ready
    from workbench.images.survey import environment

    terminal.note(f"It answers at {url}")
    if ready.can_open_browser(environment()):
        webbrowser.open(url)


def _init(path: Path) -> None:
    from workbench import project
    from workbench.images import ignore

    click.echo(ignore.write(project.find(path).root))


def _size(number: int) -> str:
    from workbench import show

    return show.size(number)


def _json(given: Mapping[str, Any], document: object) -> None:
    if given["json"]:
        click.echo(json_.dumps(document))


def _main(name: str, command: click.Command) -> Callable[[], None]:
    """The entry point of a command that has dockerutils' name."""

    def run() -> None:
        from workbench.cli import edge

        # Not before: `workbench build` has no version of its own.
        named = click.version_option(__version__, "--version", prog_name=name)(command)
        edge.run(lambda: named(standalone_mode=False, prog_name=name), json="--json" in sys.argv)

    return run


build_image = _main("build-image", build_command)
run_image = _main("run-image", run_command)
publish_image = _main("publish-image", publish_command)
transfer_image = _main("transfer-image", transfer_command)
