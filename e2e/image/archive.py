"""An image out of an OCI archive: its configuration, and every file of its layers."""

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile


@dataclasses.dataclass
class Entry:
    """A file or directory of the image."""

    kind: str
    mode: int
    owner: tuple
    modified: int
    content: bytes = b""


@dataclasses.dataclass
class Image:
    """What is looked at."""

    manifest: dict
    config: dict
    digests: list
    entries: dict

    @property
    def size(self):
        """Bytes of all files, as they lie on a node."""
        return sum(len(entry.content) for entry in self.entries.values())


def read(path):
    """Reads an archive with one image."""
    with tarfile.open(path) as archive:

        def blob(descriptor):
            data = archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            if digest != descriptor["digest"]:
                raise ValueError(f"{path}: {descriptor['digest']} is {digest}")
            return data

        index = json.load(archive.extractfile("index.json"))
        (described,) = index["manifests"]
        manifest = json.loads(blob(described))
        config = json.loads(blob(manifest["config"]))
        entries = {}
        for layer in manifest["layers"]:
            entries.update(files(blob(layer)))
    digests = [described["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
    return Image(manifest, config, digests, entries)


def files(layer):
    """The entries of a layer by their paths."""
    if layer[:2] == b"\x1f\x8b":
        layer = gzip.decompress(layer)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        for member in tar:
            kind = "file" if member.isreg() else "directory" if member.isdir() else "other"
            content = tar.extractfile(member).read() if member.isreg() else b""
            path = member.name.strip("./")
            if path:
                found[path] = Entry(kind, member.mode, (member.uid, member.gid), int(member.mtime), content)
    return found
