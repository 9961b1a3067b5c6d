"""`publish-image` and `workbench pull`: to real registries on loopback, with and without a password, and back."""

import base64
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer
from support.dock import LOCKED_LOGIN, Dock, alone
from support.person import MakePerson, Person
from support.require import require

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}


@dataclass(frozen=True)
class Author:
    """Somebody with an image that says a word of its own."""

    person: Person
    project: Path
    image: str
    word: str

    def configure(self, **keys: str) -> None:
        """Write `[app]` of docker/dockerutils.cfg."""
        lines = "".join(f"{key}={value}\n" for key, value in keys.items())
        self.person.write(self.project / "docker/dockerutils.cfg", f"[app]\n{lines}")

    def run_after_pull(self, pulled: str, *, env: dict[str, str] | None = None) -> str:
        """Remove the image, pull it, run it: what it says."""
        engine = self.person.engine
        engine.docker("image", "rm", "--force", pulled, self.image)
        self.person.run("workbench", "pull", "app", cwd=self.project, env=env or {}).ok()
        return self.person.run("run-image", "app", cwd=self.project, env=env or {}).ok().out.strip()


@pytest.fixture(params=["docker", "podman"])
def author(request: pytest.FixtureRequest, somebody: MakePerson) -> Author:
    return _author(somebody(request.param))


@pytest.fixture
def user(somebody: MakePerson) -> Author:
    """A normal user of Docker."""
    return _author(somebody("docker", normal=True))


def _author(person: Person) -> Author:
    name, word = f"p{uuid4().hex[:8]}", uuid4().hex
    project = person.project(name=name)
    text = f'FROM {require("base-image")}\nRUN echo {word} > /word\nCMD ["cat", "/word"]\n'
    person.write(project / "docker/app/Dockerfile", text)
    person.run("build-image", "app", "-q", cwd=project).ok()
    return Author(person, project, f"{name}-app:{person.environment({})['USER']}", word)


def test_to_a_registry_and_back(author: Author) -> None:
    author.configure(image_repo=require("registry"))
    done = author.person.run("publish-image", "app", cwd=author.project).ok()
    name = f"{require('registry')}/{author.image.partition(':')[0]}"
    pinned = done.out.strip()
    assert pinned.startswith(f"{name}@sha256:")
    assert f"push {name}:" in done.err
    # By its digest it is what was published, whatever its tag becomes.
    author.person.engine.docker("pull", "--quiet", pinned)
    assert author.run_after_pull(f"{name}:{author.image.partition(':')[2]}") == author.word
    again = author.person.run("publish-image", "app", "--json", cwd=author.project).ok().json()
    assert f"{name}@{again['digest']}" == pinned


def test_a_password_is_needed_and_the_users_login_taken(author: Author) -> None:
    author.configure(publication_tag=f"{require('locked-registry')}/team/{{image}}:1")
    message = author.person.run("publish-image", "app", cwd=author.project).fails(4)
    assert f"login {require('locked-registry')}" in message
    folder = {"docker": ".docker", "podman": ".config/containers"}[author.person.engine.name]
    file = {"docker": "config.json", "podman": "auth.json"}[author.person.engine.name]
    token = base64.b64encode(":".join(LOCKED_LOGIN).encode()).decode()
    logins = {"auths": {require("locked-registry"): {"auth": token}}}
    author.person.write(author.person.home / folder / file, json.dumps(logins))
    done = author.person.run("publish-image", "app", "-v", cwd=author.project).ok()
    assert LOCKED_LOGIN[1] not in done.out + done.err
    assert author.run_after_pull(f"{require('locked-registry')}/team/{author.image.partition(':')[0]}:1") == author.word


def test_a_credential_helper_is_asked(user: Author) -> None:
    user.configure(publication_tag=f"{require('locked-registry')}/helped/{{image}}")
    helper = user.person.home / "bin/docker-credential-drawer"
    answer = json.dumps(
        {"ServerURL": require("locked-registry"), "Username": LOCKED_LOGIN[0], "Secret": LOCKED_LOGIN[1]}
    )
    user.person.write(helper, f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    config = {"credHelpers": {require("locked-registry"): "drawer"}}
    user.person.write(user.person.home / ".docker/config.json", json.dumps(config))
    env = {"PATH": f"{helper.parent}:{user.person.environment({})['PATH']}"}
    done = user.person.run("publish-image", "app", cwd=user.project, env=env).ok()
    assert "@sha256:" in done.out


def test_where_to_is_said(user: Author) -> None:
    assert "publication-tag" in user.person.run("publish-image", "app", cwd=user.project).fails(2)
    there = f"{require('registry')}/other/name:7"
    planned = user.person.run("publish-image", "app", "--to", there, "--dry-run", cwd=user.project).ok().out
    assert planned.splitlines() == [f"docker tag {user.image} {there}", f"docker push {there}"]
    done = user.person.run("publish-image", "app", "--to", there, cwd=user.project).ok()
    assert done.out.startswith(f"{require('registry')}/other/name@sha256:")
    user.person.run("bash", "-ec", planned, cwd=user.project).ok()
    message = user.person.run("publish-image", "app", "--to", "-x", cwd=user.project).fails(2)
    assert "is not the name of an image" in message


def test_variables_of_the_environment_are_asked_for(user: Author) -> None:
    user.configure(publication_tag=f"{require('registry')}/$TEAM/{{image}}:1")
    assert "TEAM is not set" in user.person.run("publish-image", "app", cwd=user.project).fails(2)
    env = {"TEAM": "lab"}
    assert "variable TEAM" in user.person.run("publish-image", "app", cwd=user.project, env=env).fails(2)
    done = user.person.run("publish-image", "app", "--trust", cwd=user.project, env=env).ok()
    assert f"{require('registry')}/lab/" in done.out
    user.person.run("publish-image", "app", cwd=user.project, env=env).ok()


def test_a_registry_that_is_not_there(author: Author) -> None:
    author.configure(image_repo="127.0.0.1:9")
    assert "cannot be reached" in author.person.run("publish-image", "app", cwd=author.project).fails(4)
    assert "cannot be pulled" in author.person.run("workbench", "pull", "app", cwd=author.project).fails(4)


@pytest.fixture
def aws(somebody: MakePerson) -> Iterator[tuple[Author, Dock, dict[str, str]]]:
    """An author whose engine knows a registry by Amazon's name, and a stand-in for Amazon's API."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    with alone() as dock:
        server.start()
        try:
            host, port = server.get_host_and_port()
            person = somebody("docker")
            there = Person(person.folder, dock.engine)
            yield _author(there), dock, {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        finally:
            server.stop()


@pytest.mark.xdist_group("dock")
def test_to_amazon_and_back(aws: tuple[Author, Dock, dict[str, str]]) -> None:
    author, _, env = aws
    author.configure(image_repo="aws", publication_tag="{account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}")
    done = author.person.run("publish-image", "app", cwd=author.project, env=env).ok()
    name, _, tag = author.image.partition(":")
    registry = require("dock-registry")
    assert done.out.startswith(f"{registry}/{name}@sha256:")
    assert f"Made the repository {name}" in done.err
    assert "auth-token" not in done.out + done.err
    assert author.run_after_pull(f"{registry}/{name}:{tag}", env=env) == author.word
    # It is there now, and nothing is made again.
    assert "Made" not in author.person.run("publish-image", "app", cwd=author.project, env=env).ok().err


@pytest.mark.xdist_group("dock")
def test_amazons_login_goes_to_amazon_only(aws: tuple[Author, Dock, dict[str, str]]) -> None:
    author, _, env = aws
    author.configure(image_repo="aws", publication_tag=f"{require('locked-registry')}/{{account}}/{{image}}:1")
    message = author.person.run("publish-image", "app", cwd=author.project, env=env).fails(2)
    assert "The login that AWS gives is for" in message


@pytest.mark.xdist_group("dock")
def test_amazon_without_what_it_needs(aws: tuple[Author, Dock, dict[str, str]]) -> None:
    author, _, env = aws
    author.configure(image_repo="aws")
    no_region = {**env, "AWS_DEFAULT_REGION": ""}
    assert "region" in author.person.run("publish-image", "app", cwd=author.project, env=no_region).fails(2)
    nobody = {"AWS_ENDPOINT_URL": env["AWS_ENDPOINT_URL"], "AWS_DEFAULT_REGION": "eu-west-1"}
    away = {**nobody, "AWS_EC2_METADATA_DISABLED": "true"}
    assert "credentials" in author.person.run("publish-image", "app", cwd=author.project, env=away).fails(2)
