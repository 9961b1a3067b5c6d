"""Exercises of the lesson about an app in a container."""

import contextlib
import io
import json
from pathlib import Path

from ask import NOBODY, get
from engine.client import Failed, build, docker


def exercise_1(names):
    """Two options before the image: `--publish 8000:8000`, and `--env HOST=0.0.0.0`.

    `docker rm --force app` makes the name free again. `json.loads(answer)` makes a dict of the answer.
    """
    found = _inspect("app")
    if not found:
        return "there is no container with the name `app`: docker run --detach --name app … app"
    if not found["State"]["Running"]:
        return "the container `app` has ended. `docker logs app` says why."
    if not found["HostConfig"]["PortBindings"].get("8000/tcp"):
        return "port 8000 of the container `app` is not published: --publish 8000:8000"
    if "HOST=0.0.0.0" not in found["Config"]["Env"]:
        return "the app still listens to its own container only: --env HOST=0.0.0.0 (`docker logs app` says where)."
    answer = get("http://engine:8000/level?hour=12")
    if answer == NOBODY:
        return "nobody answers at http://engine:8000: `docker logs app` says what the app is doing."
    if names["noon"] != json.loads(answer)["level"]:
        return f"`noon` is {names['noon']!r}: ask the app, by http://engine:8000/level?hour=12, and take its `level`."
    return None


def exercise_2(names):
    """Three lines: FROM app, then ENV HOST=0.0.0.0, then USER and a name or number. Everybody's is `nobody`, 65534."""
    if not Path("better/Dockerfile").is_file():
        return "there is no file better/Dockerfile yet: it begins with the line FROM app."
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            build("better", "better")
    except Failed as failed:
        return f"the folder `better` cannot be built yet: {str(failed).splitlines()[-1]}"
    [told] = json.loads(docker("image", "inspect", "better"))
    if "HOST=0.0.0.0" not in told["Config"]["Env"]:
        return "the image `better` does not set HOST: a line ENV HOST=0.0.0.0 in its Dockerfile does."
    if told["Config"]["User"].partition(":")[0] in ("", "0", "root"):
        return (
            "a container of the image `better` still runs as root: a line USER nobody in its Dockerfile changes that."
        )
    docker("rm", "--force", "better-check")
    docker("run", "--detach", "--name", "better-check", "--publish", "8009:8000", "better")
    answer, log = get("http://engine:8009/"), docker("logs", "better-check")
    docker("rm", "--force", "better-check")
    if answer == NOBODY:
        return f"a container of the image `better` does not answer. Its log: {log[-200:] or 'nothing'}"
    return None


def exercise_3(names):
    """Another name, another port outside, another harbour: `--publish 8002:8000 --env HARBOUR=Oostende`.

    `docker rm --force oostende` makes the name free again.
    """
    found = _inspect("oostende")
    if not found:
        return "there is no container with the name `oostende` yet: docker run --detach --name oostende … better"
    if not found["State"]["Running"]:
        return "the container `oostende` has ended. `docker logs oostende` says why."
    answer = get("http://engine:8002/level?hour=0")
    if answer == NOBODY:
        return "nobody answers at http://engine:8002: is the container's port 8000 published as 8002?"
    told = json.loads(answer)
    if told["harbour"] != "Oostende":
        return f"the app at port 8002 is about {told['harbour']}: its variable HARBOUR should be Oostende."
    if not (first := _inspect("app")) or not first["State"]["Running"]:
        return "the container `app` of exercise 1 should run at the same time: both are of one image."
    return None


def exercise_4(names):
    """`web = { port = 7860, title = "Demo" }` in the table [tool.workbench.services.demo]."""
    text = names["table"]
    try:
        import tomllib

        found = tomllib.loads(text)
    except ValueError as error:
        return f"this is no TOML yet: {error}"
    except TypeError:
        return "`table` should be text, between three quotation marks."
    services = found.get("tool", {}).get("workbench", {}).get("services", {})
    if "demo" not in services:
        return "there is no table [tool.workbench.services.demo] in it: `demo` is what the service is called."
    web = services["demo"].get("web")
    if not isinstance(web, dict) or web.get("port") != 7860:
        return f"`web` is {web!r}: it should be a table whose port is 7860, where Gradio listens."
    if web.get("title") != "Demo":
        return f"the title of the tile is {web.get('title')!r}, and should be Demo."
    return None


def _inspect(name):
    """What the engine says of a container; None: there is none of this name."""
    if name not in docker("ps", "--all", "--format", "{{.Names}}").split():
        return None
    [found] = json.loads(docker("container", "inspect", name))
    return found
