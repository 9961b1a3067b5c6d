"""The network settings of this machine, as a container is to have them."""

from pathlib import Path

import pytest

from workbench import hostnet
from workbench.errors import ConfigError
from workbench.model import Network

INDEX, EXTRA = "https://index.example/simple", "https://extra.example/simple"


def survey(environ: dict[str, str], home: Path) -> Network:
    return hostnet.survey(environ, home, etc=home / "etc")


def write(home: Path, name: str, text: str) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://p:1"}),
        ({"no_proxy": "a,b"}, {"NO_PROXY": "a,b", "no_proxy": "a,b"}),
        ({"HTTP_PROXY": "http://a", "http_proxy": "http://b"}, {"HTTP_PROXY": "http://a", "http_proxy": "http://b"}),
        ({"all_proxy": "socks5://p:1", "HTTP_PROXY": ""}, {"ALL_PROXY": "socks5://p:1", "all_proxy": "socks5://p:1"}),
        ({"PATH": "/bin"}, {}),
    ],
)
def test_proxies(environ: dict[str, str], found: dict[str, str]) -> None:
    assert hostnet.proxies(environ) == found


@pytest.mark.parametrize(
    ("environ", "pip", "found"),
    [
        ({}, {}, {}),
        ({"PIP_INDEX_URL": INDEX}, {}, {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}),
        ({}, {"index-url": INDEX}, {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}),
        ({"UV_DEFAULT_INDEX": f"ours={INDEX}"}, {}, {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": f"ours={INDEX}"}),
        ({"UV_INDEX_URL": INDEX}, {}, {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}),
        ({"PIP_INDEX_URL": INDEX}, {"index-url": EXTRA}, {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}),
        (
            {"UV_DEFAULT_INDEX": INDEX, "PIP_INDEX_URL": EXTRA},
            {},
            {"UV_DEFAULT_INDEX": INDEX, "PIP_INDEX_URL": EXTRA},
        ),
        (
            {"PIP_EXTRA_INDEX_URL": f"{EXTRA} {INDEX} file:///wheels /wheels"},
            {},
            {"PIP_EXTRA_INDEX_URL": f"{EXTRA} {INDEX}", "UV_INDEX": f"{EXTRA} {INDEX}"},
        ),
        ({"PIP_INDEX_URL": "file:///srv/simple"}, {}, {}),
        ({"PIP_FIND_LINKS": "/wheels", "UV_FIND_LINKS": "/wheels"}, {}, {}),
        (
            {"UV_INDEX": f"a={INDEX} {EXTRA}", "UV_INDEX_A_PASSWORD": "s3"},
            {},
            {"UV_INDEX": f"a={INDEX} {EXTRA}", "PIP_EXTRA_INDEX_URL": f"{INDEX} {EXTRA}", "UV_INDEX_A_PASSWORD": "s3"},
        ),
        ({}, {"trusted-host": "h"}, {"PIP_TRUSTED_HOST": "h", "UV_INSECURE_HOST": "h"}),
    ],
)
def test_indexes(environ: dict[str, str], pip: dict[str, str], found: dict[str, str]) -> None:
    assert hostnet.indexes(environ, pip) == found


def test_pips_index_does_not_override_a_file_of_uv(tmp_path: Path) -> None:
    write(tmp_path, ".config/pip/pip.conf", f"[global]\nindex-url = {INDEX}\n")
    uv = write(tmp_path, ".config/uv/uv.toml", f'[[index]]\nurl = "{EXTRA}"\n')
    found = survey({}, tmp_path)
    assert (found.env, found.files["uv.toml"]) == ({"PIP_INDEX_URL": INDEX}, str(uv))
    uv.write_text('link-mode = "copy"\n')
    assert survey({}, tmp_path).env == {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}


def test_pip_files_in_pips_order(tmp_path: Path) -> None:
    system = write(tmp_path, "etc/pip.conf", "[global]\nindex-url = https://system\n")
    old = write(
        tmp_path, ".pip/pip.conf", f"[global]\nindex-url = https://old\nextra-index-url =\n  {EXTRA}\n  {INDEX}\n"
    )
    new = write(tmp_path, ".config/pip/pip.conf", "[global]\nindex_url = https://new\n")
    venv = write(tmp_path, "venv/pip.conf", "[install]\ntrusted-host = h\n[freeze]\nindex-url = https://not\n")
    files = hostnet.pip_files(
        {"VIRTUAL_ENV": str(tmp_path / "venv"), "XDG_CONFIG_DIRS": "/x"}, tmp_path, tmp_path / "etc"
    )
    assert [file for file in files if file.exists()] == [system, old, new, venv]
    assert hostnet.read_pip(files) == {
        "index-url": "https://new",
        "extra-index-url": f"{EXTRA} {INDEX}",
        "trusted-host": "h",
    }


def test_pip_config_file(tmp_path: Path) -> None:
    own = write(tmp_path, "own.conf", "[install]\nindex-url = https://own/%(x)s\n")
    assert hostnet.read_pip([own]) == {"index-url": "https://own/%(x)s"}
    assert hostnet.pip_files({"PIP_CONFIG_FILE": str(own)}, tmp_path, tmp_path)[-1] == own
    assert hostnet.pip_files({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path, tmp_path) == []


@pytest.mark.parametrize(("name", "text"), [(".pip/pip.conf", "index-url = x\n"), (".config/uv/uv.toml", "a = \n")])
def test_broken_files_are_named(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(ConfigError) as caught:
        survey({}, tmp_path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", hostnet.BUNDLE_VARIABLES)
def test_certificate_bundle(tmp_path: Path, name: str) -> None:
    bundle = write(tmp_path, "ca.pem", "PEM")
    write(tmp_path, ".pip/pip.conf", f"[global]\ncert = {tmp_path}/cert.pem\n")
    assert survey({name: str(bundle)}, tmp_path).files["ca.pem"] == str(bundle)
    missing = {name: str(tmp_path / "gone.pem")}
    assert survey(missing, tmp_path).files == {}
    system = write(tmp_path, "etc/ssl/certs/ca-certificates.crt", "PEM")
    assert survey(missing, tmp_path).files == {"ca.pem": str(system)}
    pips = write(tmp_path, "cert.pem", "PEM")
    assert survey(missing, tmp_path).files == {"ca.pem": str(pips)}


def test_uv_on_this_machine_trusts_what_pip_trusts(tmp_path: Path) -> None:
    assert survey({}, tmp_path).uv == {"UV_SYSTEM_CERTS": "1"}
    write(tmp_path, "etc/ssl/certs/ca-certificates.crt", "PEM")
    assert survey({}, tmp_path).uv == {"UV_SYSTEM_CERTS": "1"}
    pips = write(tmp_path, "cert.pem", "PEM")
    write(tmp_path, ".pip/pip.conf", f"[global]\ncert = {pips}\nindex-url = {INDEX}\n")
    assert survey({}, tmp_path).uv == {"SSL_CERT_FILE": str(pips), "UV_DEFAULT_INDEX": INDEX}


def test_only_the_netrc_entries_of_indexes_are_taken(tmp_path: Path) -> None:
    write(
        tmp_path,
        ".netrc",
        "machine index.example login ada password p@ss\nmachine git.example login x password hidden\n",
    )
    environ = {"PIP_INDEX_URL": INDEX, "UV_INDEX": f"a=https://u:p@index.example/x {EXTRA}", "HTTPS_PROXY": "http://p"}
    found = survey(environ, tmp_path)
    assert found.env["PIP_INDEX_URL"] == "https://ada:p%40ss@index.example/simple"
    assert found.env["UV_DEFAULT_INDEX"] == found.env["PIP_INDEX_URL"]
    assert found.env["UV_INDEX"] == environ["UV_INDEX"]
    assert "hidden" not in str(found)
    assert "netrc" not in found.files
    elsewhere = write(tmp_path, "other", "machine extra.example login a password b\n")
    env = survey({**environ, "NETRC": str(elsewhere)}, tmp_path).env
    assert env["UV_INDEX"] == "a=https://u:p@index.example/x https://a:b@extra.example/simple"


def test_a_broken_netrc_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, ".netrc", "machine\n")
    assert survey({"PIP_INDEX_URL": INDEX}, tmp_path).env["PIP_INDEX_URL"] == INDEX


@pytest.mark.parametrize(
    ("proxy", "loops"),
    [
        ("http://localhost:3128", True),
        ("http://u:secret@127.0.0.1:3128", True),
        ("127.1.2.3:3128", True),
        ("http://[::1]:3128", True),
        ("http://proxy.example:3128", False),
        ("http://10.0.0.1:3128", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_a_proxy_on_this_machine_is_noticed(proxy: str, loops: bool) -> None:
    found = hostnet.notices(Network(env={"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "localhost"}))
    assert len(found) == int(loops)
    assert "secret" not in "".join(found)
