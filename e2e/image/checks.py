"""What an image must be, one function for each demand. Each yields what is wrong."""

import os
import pathlib
import re
import ssl
import struct
import subprocess
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER = 65532
LARGEST = int(os.environ.get("LARGEST", 40_000_000))
BINARY = "agenticai"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
DATA = "var/lib/agenticai"
MACHINES = {"amd64": 62, "arm64": 183}


def size(image, expected):
    """A node downloads and keeps it quickly."""
    if image.size >= LARGEST:
        yield f"it has {image.size} bytes; less than {LARGEST} are allowed"


def contents(image, expected):
    """Nothing is in it but what the program needs: no shell, no package manager, no second program."""
    wanted = {BINARY: "file", AUTHORITIES: "file", DATA: "directory"}
    wanted |= {str(parent): "directory" for path in list(wanted) for parent in pathlib.PurePath(path).parents}
    wanted.pop(".")
    found = {path: entry.kind for path, entry in image.entries.items()}
    for path in sorted(found.keys() | wanted.keys()):
        if found.get(path) != wanted.get(path):
            yield f"/{path} is {found.get(path)} and should be {wanted.get(path)}"


def owners(image, expected):
    """The program cannot change itself; the data directory is its own."""
    for path, entry in image.entries.items():
        owner = (USER, USER) if path == DATA else (0, 0)
        if entry.owner != owner:
            yield f"/{path} belongs to {entry.owner}, not to {owner}"
        if entry.mode & 0o6022:
            yield f"/{path} has the mode {entry.mode:o}"
    if (mode := image.entries[DATA].mode & 0o777) != 0o700:
        yield f"/{DATA} has the mode {mode:o}: nobody else has anything to look for there"


def user(image, expected):
    """A number, so that Kubernetes can see that it is not root."""
    if image.config["config"].get("User") != f"{USER}:{USER}":
        yield f"it runs as {image.config['config'].get('User')!r}"


def start(image, expected):
    """What `docker run` needs to know."""
    config = image.config["config"]
    if config.get("Entrypoint") != ["/agenticai"]:
        yield f"its entry point is {config.get('Entrypoint')}"
    if set(config.get("ExposedPorts", {})) != {"8000/tcp", "9090/tcp"}:
        yield f"its ports are {config.get('ExposedPorts')}"
    if config.get("Volumes"):
        yield "it declares a volume: every container would get a writable one, read-only root or not"
    variables = dict(line.split("=", 1) for line in config.get("Env", []))
    variables.pop("PATH", None)
    if variables != {"AGENTICAI_DATA_DIR": "/var/lib/agenticai"}:
        yield f"its environment is {variables}"


def labels(image, expected):
    """Who finds it in a registry can say what it is and where it comes from."""
    found = image.config["config"].get("Labels") or {}
    prefix = "org.opencontainers.image."
    wanted = {
        "title": "agenticai",
        "licenses": "Apache-2.0",
        "version": expected["version"],
        "revision": expected["revision"],
        "created": image.config.get("created"),
    }
    for name, value in wanted.items():
        if found.get(prefix + name) != value:
            yield f"label {prefix + name} is {found.get(prefix + name)!r} and should be {value!r}"
    if not found.get(prefix + "description"):
        yield f"label {prefix}description is missing"
    if strange := [name for name in found if not name.startswith(prefix)]:
        yield f"labels {strange} come from the tool that built it"


def platform(image, expected):
    """Image and binary are for the same architecture."""
    if (found := image.config["architecture"]) != expected["arch"]:
        yield f"it is for {found}, not for {expected['arch']}"
    (machine,) = struct.unpack_from("<H", image.entries[BINARY].content, 18)
    if machine != MACHINES[expected["arch"]]:
        yield f"the binary is for machine {machine}"


def static(image, expected):
    """There is no loader and no library in the image."""
    elf = image.entries[BINARY].content
    if elf[:5] != b"\x7fELF\x02":
        yield "the binary is no 64-bit ELF file"
        return
    (offset,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for n in range(count):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + n * size)
        if kind == 3:
            yield f"the binary wants the loader {elf[start:start + length]!r}"
        if kind == 2:
            tags = (struct.unpack_from("<qQ", elf, at)[0] for at in range(start, start + length, 16))
            if 1 in tags:
                yield "the binary wants shared libraries"


def paths(image, expected):
    """Nothing tells where it was built: it would differ from place to place."""
    binary = image.entries[BINARY].content
    for path in expected["paths"]:
        if (at := binary.find(path.encode() + b"/")) >= 0:
            shown = re.match(rb"[ -~]{1,100}", binary[at:]).group().decode()
            yield f"the binary holds {shown}"


def dates(image, expected):
    """Everything is dated like the commit."""
    for path, entry in image.entries.items():
        if entry.modified != expected["epoch"]:
            yield f"/{path} is dated {entry.modified}, not {expected['epoch']}"


def reproducible(image, expected):
    """Building it again gives the same bytes."""
    if image.digests != expected["again"].digests:
        yield f"manifest, configuration and layer were {image.digests}, and then {expected['again'].digests}"


def authorities(image, expected):
    """The certificates can be read, and are those of the public authorities."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(image.entries[AUTHORITIES].content)
        file.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(file.name)
        except ssl.SSLError as error:
            yield f"the certificates cannot be read: {error}"
    if not 100 <= (count := context.cert_store_stats()["x509_ca"]) <= 250:
        yield f"there are {count} authorities"


def bill(image, expected):
    """The bill of materials names what was linked, all of it and nothing else."""
    cyclonedx, spdx = expected["cyclonedx"], expected["spdx"]
    if cyclonedx.get("bomFormat") != "CycloneDX" or cyclonedx["metadata"]["component"]["name"] != "agenticai":
        yield "the one is no CycloneDX document about agenticai"
    if not spdx.get("spdxVersion", "").startswith("SPDX-2"):
        yield "the other is no SPDX document"
    crates = {
        (part["name"], part["version"])
        for part in cyclonedx.get("components", [])
        if part.get("purl", "").startswith("pkg:cargo/")
    }
    packages = {(package["name"], package.get("versionInfo")) for package in spdx.get("packages", [])}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    locked = {(package["name"], package["version"]) for package in lock["package"]}
    for name, version in sorted(expected["linked"] - crates):
        yield f"CycloneDX: {name} {version} is missing"
    for name, version in sorted(crates - locked):
        yield f"CycloneDX: {name} {version} is not in Cargo.lock"
    for name, version in sorted(crates - packages):
        yield f"SPDX: {name} {version} is missing"


CHECKS = [
    size, contents, owners, user, start, labels, platform, static, paths, dates, reproducible, authorities, bill,
]


def linked(target):
    """Crates that end up in the binary: normal dependencies, without those that only run in the compiler."""
    command = ["cargo", "tree", "--locked", "--package", "agenticai", "--target", target, "--edges", "normal,no-proc-macro"]
    tree = subprocess.run([*command, "--prefix", "none"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {(name, version) for name, version in re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE)}
