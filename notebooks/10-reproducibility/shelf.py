"""Images in a folder, as registries have them: files named by their digest, and a list of tags (OCI image layout)."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

KIND = "application/vnd.oci.image"
NAME = "org.opencontainers.image.ref.name"


class Shelf:
    """A folder with images."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.blobs = self.folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        if not (self.folder / "index.json").exists():
            self._write([])

    def build(self, files, when):
        """Make an image of some files (name -> text) with their date, in seconds since 1970; its digest."""
        layer = self._put(_archive(files, when), f"{KIND}.layer.v1.tar")
        about = {"architecture": "amd64", "os": "linux", "config": {"WorkingDir": "/menu"}}
        about["rootfs"] = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = self._put(_json(about), f"{KIND}.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": f"{KIND}.manifest.v1+json", "config": config, "layers": [layer]}
        return self._put(_json(manifest), manifest["mediaType"])["digest"]

    def tag(self, name, digest):
        """Have a name stand for an image from now on, whatever it stood for before."""
        others = [each for each in self._read() if each["annotations"][NAME] != name]
        size = self.file(digest).stat().st_size
        entry = {"mediaType": f"{KIND}.manifest.v1+json", "digest": digest, "size": size, "annotations": {NAME: name}}
        self._write([*others, entry])

    def resolve(self, name):
        """The digest that a tag stands for now."""
        return next(each["digest"] for each in self._read() if each["annotations"][NAME] == name)

    def file(self, digest):
        """The file of a digest."""
        return self.blobs / digest.partition(":")[2]

    def pull(self, digest):
        """The files of an image. Raises ValueError where one byte is not as its digest says."""
        manifest = json.loads(self._get(digest))
        with tarfile.open(fileobj=io.BytesIO(self._get(manifest["layers"][0]["digest"]))) as archive:
            return {each.name: archive.extractfile(each).read().decode() for each in archive}

    def _get(self, digest):
        content = self.file(digest).read_bytes()
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if found != digest:
            raise ValueError(f"These bytes are {found[:19]}…, and {digest[:19]}… was asked for.")
        return content

    def _put(self, content, kind):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.file(digest).write_bytes(content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _read(self):
        return json.loads((self.folder / "index.json").read_text())["manifests"]

    def _write(self, manifests):
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}, indent=1))


def _archive(files, when):
    """A layer: the files in an archive that looks the same wherever it is made."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(text.encode()), when
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


def _json(value):
    return json.dumps(value, sort_keys=True).encode()
