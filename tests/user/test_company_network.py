"""Without a container, behind a company's package index: what pip is told of it is enough.

The index is a real one over TLS on loopback, with a certificate that only `cert` of pip's configuration names.
"""

import base64
import hashlib
import io
import os
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.person import MakePerson, Person

SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
OWN = dict.fromkeys(CERTIFICATES)
"""Nothing but pip's configuration speaks of certificates."""
NEW = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
SERVER = ("-subj", "/CN=index", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the certificate of the authority that vouches for it."""
    files = tmp_path / "index"
    page = files / "simple" / "gauge"
    page.mkdir(parents=True)
    (page / "gauge-1.0-py3-none-any.whl").write_bytes(wheel())
    (page / "index.html").write_text('<a href="gauge-1.0-py3-none-any.whl">gauge-1.0-py3-none-any.whl</a>')
    authority, authority_key = tmp_path / "authority.pem", tmp_path / "authority.key"
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    made((*NEW, "-subj", "/CN=company"), authority_key, authority)
    made((*NEW, *SERVER, "-CA", authority, "-CAkey", authority_key), key, certificate)
    handler = partial(SimpleHTTPRequestHandler, directory=str(files))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/simple", authority
        server.shutdown()


def made(argv: Sequence[str | Path], key: Path, certificate: Path) -> None:
    """A key and a certificate for it."""
    subprocess.run([*argv, "-keyout", key, "-out", certificate], check=True, capture_output=True)


def wheel() -> bytes:
    """The smallest package that there is."""
    name = "gauge-1.0.dist-info"
    content = {
        "gauge.py": b"HEIGHT = 5.3\n",
        f"{name}/METADATA": b"Metadata-Version: 2.1\nName: gauge\nVersion: 1.0\n",
        f"{name}/WHEEL": b"Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    sums = {path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for path, data in content.items()}
    lines = [f"{path},sha256={sums[path].decode().rstrip('=')},{len(data)}\n" for path, data in content.items()]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, data in content.items():
            archive.writestr(path, data)
        archive.writestr(f"{name}/RECORD", "".join([*lines, f"{name}/RECORD,,\n"]))
    return written.getvalue()


def configured(me: Person, address: str, *more: str) -> Path:
    """A project that needs the company's package, and pip's configuration."""
    me.write(me.home / ".config/pip/pip.conf", "\n".join(["[global]", f"extra-index-url = {address}", *more, ""]))
    project = me.project()
    me.write(project / "requirements.txt", "gauge\n")
    return project


def test_pips_index_and_certificate_are_enough(index: tuple[str, Path], somebody: MakePerson) -> None:
    address, authority = index
    me = somebody("local", normal=True)
    bundle = me.home / "company.pem"
    public = Path(os.environ.get("SSL_CERT_FILE") or SYSTEM)
    me.write(bundle, f"{authority.read_text()}\n{public.read_text()}")
    project = configured(me, address, f"cert = {bundle}")
    bench = me.launch(project, env=OWN)
    assert bench.jupyter.run("import gauge; print(gauge.HEIGHT)").strip() == "5.3"


def test_without_it_the_network_is_named_and_not_the_file(index: tuple[str, Path], somebody: MakePerson) -> None:
    me = somebody("local", normal=True)
    project = configured(me, index[0])
    said = me.run("run-notebook", "-d", "--no-browser", cwd=project, env=OWN).fails(4)
    assert "certificates" in said.splitlines()[-1] and "requirements.txt" not in said.splitlines()[-1]
