"""Exercises of the lesson about the verbs of every day."""

import json

from engine.client import docker

MEMORY = 64 * 1024 * 1024
TIDE = "tide"


def exercise_1(names):
    """Options of `docker run` come before the image: `--detach`, `--name small`, and `--memory 64m` for the limit.

    `docker rm --force small` makes the name free again.
    """
    found = _inspect("small")
    if not found:
        return "there is no container with the name `small` yet: docker run --detach --name small …"
    if not found["State"]["Running"]:
        return "the container `small` has ended: give it a command that goes on, such as sleep 1000."
    limit = found["HostConfig"]["Memory"]
    if limit != MEMORY:
        told = f"{limit / MEMORY * 64:.0f} MiB" if limit else "no limit at all"
        return f"the container `small` has {told} of memory, and should have 64 MiB: --memory 64m"
    return None


def exercise_2(names):
    """`docker exec tide …` starts a second program in the running container. With `>` it needs a shell: sh -c "…"."""
    found = _inspect(TIDE)
    if not found or not found["State"]["Running"]:
        return "the container `tide` does not run any more: run its cell above again."
    if found["Id"] != names["born"]:
        return "the container `tide` is another one than before: write the file without starting a new one."
    if not docker("exec", TIDE, "sh", "-c", "cat /note 2>/dev/null || true"):
        return "the container `tide` has no file /note yet, or an empty one: docker exec tide …"
    if "A /note" not in docker("diff", TIDE).splitlines():
        return "the file /note is not in the container's own layer: write it by docker exec."
    code = names["code"]
    if code != 3:
        return f"`code` is {code!r}. A container's exit code is that of its command; this one says `exit 3`."
    return None


def exercise_3(names):
    """`docker run --rm --network harbour tiny wget -qO- http://web/page` prints the page."""
    networks = docker("network", "ls", "--format", "{{.Name}}").split()
    if "harbour" not in networks:
        return "there is no network with the name `harbour` yet: docker network create harbour"
    web = _inspect("web")
    if not web or not web["State"]["Running"]:
        return "the container `web` does not run: start it with --detach and --name web."
    if "harbour" not in web["NetworkSettings"]["Networks"]:
        return "the container `web` is not in the network `harbour`: docker run … --network harbour …"
    page = str(names["page"])
    if "high tide at noon" not in page:
        return f"`page` is {page[:60]!r}, and not what the server says: ask for http://web/page from another container."
    return None


def exercise_4(names):
    """`--volume levels:/data` has the volume `levels` at /data. It is made when it is first named.

    The container that writes can end, and be removed: --rm.
    """
    if "levels" not in docker("volume", "ls", "--format", "{{.Name}}").split():
        return "there is no volume with the name `levels` yet: docker run --rm --volume levels:/data …"
    users = docker("ps", "--all", "--filter", "volume=levels", "--format", "{{.Names}}").split()
    if users:
        return f"the container {users[0]} still has the volume: remove it. What is in the volume stays."
    text = docker(
        "run", "--rm", "--volume", "levels:/data:ro", "tiny", "sh", "-c", "cat /data/today 2>/dev/null || true"
    )
    if not text:
        return "the volume `levels` has no file `today`, or an empty one: write it to /data/today in the container."
    read = str(names["read"]).strip()
    if read != text:
        return f"`read` is {read!r}, and the file says {text!r}: have a second container read it."
    return None


def exercise_5(names):
    """`docker container prune --force` takes what has ended, `docker image prune --force` what has lost its name.

    Volumes are taken by `docker volume prune` only, or where --volumes is said.
    """
    ended = docker("ps", "--all", "--filter", "status=exited", "--filter", "status=created", "--format", "{{.Names}}")
    if ended:
        return f"there still are containers that have ended: {', '.join(ended.split())}."
    if docker("image", "ls", "--filter", "dangling=true", "--quiet"):
        return "there still is an image without a name: `docker image prune` takes such images."
    if "levels" not in docker("volume", "ls", "--format", "{{.Name}}").split():
        return "the volume `levels` is gone, and what was in it, too. Do exercise 4 again, and tidy up with more care."
    web = _inspect("web")
    if not web or not web["State"]["Running"]:
        return "the container `web` is gone, or has ended: only what has ended before was to go. Do exercise 3 again."
    return None


def _inspect(name):
    """What the engine says of a container; None: there is none of this name."""
    if name not in docker("ps", "--all", "--format", "{{.Names}}").split():
        return None
    [found] = json.loads(docker("container", "inspect", name))
    return found
