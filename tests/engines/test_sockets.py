"""Where an engine is looked for: environment, Docker contexts, usual sockets."""

import hashlib
import json

import pytest

from workbench.engines.dialect import DOCKER, PODMAN
from workbench.engines.sockets import Address, addresses, check
from workbench.errors import NoEngineError


def context(home, name, host, **endpoint):
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, **endpoint}}
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": endpoints}))


def use(home, name):
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def env(home, **more):
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), **more}


def test_docker_host_is_the_only_place_to_try(tmp_path):
    context(tmp_path, "lab", "unix:///lab.sock")
    use(tmp_path, "lab")
    found = addresses(DOCKER, env(tmp_path, DOCKER_HOST="unix:///mine.sock"))
    assert found == [Address("unix:///mine.sock", "DOCKER_HOST", chosen=True)]


def test_docker_host_with_tls_brings_its_certificates(tmp_path):
    (address,) = addresses(DOCKER, env(tmp_path, DOCKER_HOST="tcp://lab:2376", DOCKER_TLS_VERIFY="1"))
    assert (address.tls, address.verify) == (str(tmp_path / ".docker"), True)
    assert address.environment == {
        "DOCKER_HOST": "tcp://lab:2376",
        "DOCKER_CERT_PATH": str(tmp_path / ".docker"),
        "DOCKER_TLS_VERIFY": "1",
    }


def test_the_context_in_use_is_the_only_place_but_not_the_users_word_for_this_launch(tmp_path):
    context(tmp_path, "lab", "unix:///lab.sock")
    use(tmp_path, "lab")
    assert addresses(DOCKER, env(tmp_path)) == [Address("unix:///lab.sock", "the Docker context lab")]


def test_docker_context_goes_before_the_context_in_use(tmp_path):
    context(tmp_path, "lab", "unix:///lab.sock")
    context(tmp_path, "other", "tcp://other:2376", SkipTLSVerify=True)
    tls = tmp_path / ".docker/contexts/tls" / hashlib.sha256(b"other").hexdigest() / "docker"
    tls.mkdir(parents=True)
    use(tmp_path, "lab")
    (address,) = addresses(DOCKER, env(tmp_path, DOCKER_CONTEXT="other"))
    assert address == Address("tcp://other:2376", "the Docker context other", True, str(tls), verify=False)


def test_a_context_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(NoEngineError, match="context nowhere does not exist"):
        addresses(DOCKER, env(tmp_path, DOCKER_CONTEXT="nowhere"))


def test_a_broken_docker_configuration_is_named(tmp_path):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{")
    with pytest.raises(NoEngineError, match=r"config\.json cannot be read"):
        addresses(DOCKER, env(tmp_path))


def test_usual_sockets_that_exist_are_tried_in_order(tmp_path):
    desktop, rootless = tmp_path / ".docker/run/docker.sock", tmp_path / "run/docker.sock"
    for socket in (desktop, rootless):
        socket.parent.mkdir(parents=True)
        socket.touch()
    found = [address.url for address in addresses(DOCKER, env(tmp_path)) if str(tmp_path) in address.url]
    assert found == [f"unix://{desktop}", f"unix://{rootless}"]


def test_podman_is_looked_for_where_it_listens(tmp_path):
    socket = tmp_path / "run/podman/podman.sock"
    socket.parent.mkdir(parents=True)
    socket.touch()
    assert addresses(PODMAN, env(tmp_path))[0] == Address(f"unix://{socket}")
    chosen = addresses(PODMAN, env(tmp_path, CONTAINER_HOST="unix:///p.sock"))
    assert chosen == [Address("unix:///p.sock", "CONTAINER_HOST", chosen=True)]


def test_ssh_is_refused_with_the_way_around():
    with pytest.raises(NoEngineError, match="by ssh") as refused:
        check(DOCKER, Address("ssh://me@lab/run/docker.sock", "DOCKER_HOST", chosen=True))
    assert "ssh -N -L /tmp/engine.sock:/var/run/docker.sock -- me@lab" in refused.value.hint


@pytest.mark.parametrize("url", ["", "lab", "unix://", "fd://x", "/var/run/docker.sock"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(NoEngineError, match="is no address of Docker"):
        check(DOCKER, Address(url, "DOCKER_HOST", chosen=True))
