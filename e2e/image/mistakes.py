"""One planted mistake, and more, for each check: a check that finds nothing proves nothing."""

import copy
import dataclasses

import checks


def added(image, path, **more):
    """With one more file."""
    image.entries[path] = dataclasses.replace(image.entries[checks.BINARY], content=b"#!", **more)


def patched(image, at, value):
    """With other bytes in the binary."""
    binary = image.entries[checks.BINARY]
    binary.content = binary.content[:at] + value + binary.content[at + len(value):]


def config(image, **more):
    """With another configuration."""
    image.config["config"].update(more)


def label(image, name, value):
    """With another label."""
    image.config["config"]["Labels"]["org.opencontainers.image." + name] = value


MISTAKES = [
    (checks.size, "too large", lambda image, expected: setattr(image.entries["agenticai"], "content", bytes(checks.LARGEST))),
    (checks.contents, "a shell", lambda image, expected: added(image, "bin/sh")),
    (checks.contents, "no certificates", lambda image, expected: image.entries.pop(checks.AUTHORITIES)),
    (checks.owners, "a program that may change itself", lambda image, expected: added(image, "x", owner=(65532, 65532))),
    (checks.owners, "a file that runs as root", lambda image, expected: added(image, "x", mode=0o4755)),
    (checks.owners, "data for everybody", lambda image, expected: setattr(image.entries[checks.DATA], "mode", 0o755)),
    (checks.user, "root", lambda image, expected: config(image, User="")),
    (checks.user, "a name", lambda image, expected: config(image, User="agenticai")),
    (checks.start, "a shell before the program", lambda image, expected: config(image, Entrypoint=["/bin/sh", "-c"])),
    (checks.start, "a volume", lambda image, expected: config(image, Volumes={"/var/lib/agenticai": {}})),
    (checks.start, "another port", lambda image, expected: config(image, ExposedPorts={"80/tcp": {}})),
    (checks.start, "a secret", lambda image, expected: image.config["config"]["Env"].append("OPENAI_API_KEY=x")),
    (checks.labels, "another version", lambda image, expected: label(image, "version", "9")),
    (checks.labels, "no revision", lambda image, expected: label(image, "revision", "unknown")),
    (checks.labels, "today", lambda image, expected: label(image, "created", "2026-01-01T00:00:00Z")),
    (checks.platform, "another architecture", lambda image, expected: image.config.update(architecture="s390x")),
    (checks.platform, "another machine's binary", lambda image, expected: patched(image, 18, b"\x03\x00")),
    (checks.static, "a binary that wants a loader", lambda image, expected: loader(image)),
    (checks.static, "a script", lambda image, expected: patched(image, 0, b"#!/bin/sh")),
    (checks.paths, "a directory of the builder", lambda image, expected: patched(image, 4096, expected["paths"][0].encode() + b"/x")),
    (checks.dates, "now", lambda image, expected: setattr(image.entries["agenticai"], "modified", 2_000_000_000)),
    (checks.reproducible, "another layer", lambda image, expected: image.digests.append("sha256:0")),
    (checks.authorities, "no certificate in the file", lambda image, expected: setattr(image.entries[checks.AUTHORITIES], "content", b"")),
    (checks.bill, "a crate that is missing", lambda image, expected: remove(expected, "tokio")),
    (checks.bill, "a crate of another version", lambda image, expected: rename(expected, "tokio", "0.0.1")),
    (checks.bill, "another format", lambda image, expected: expected["cyclonedx"].update(bomFormat="x")),
    (checks.bill, "an empty SPDX document", lambda image, expected: expected["spdx"].update(packages=[])),
]


def loader(image):
    """Makes the first program header that of a loader."""
    at = int.from_bytes(image.entries[checks.BINARY].content[32:40], "little")
    patched(image, at, b"\x03\x00\x00\x00")


def remove(expected, name):
    """Takes a crate out of the bill."""
    bill = expected["cyclonedx"]
    bill["components"] = [part for part in bill["components"] if part["name"] != name]


def rename(expected, name, version):
    """Gives a crate another version in the bill."""
    for part in expected["cyclonedx"]["components"]:
        if part["name"] == name:
            part["version"] = version


def missed(image, expected):
    """The mistakes that no check finds, each planted alone."""
    for check, what, plant in MISTAKES:
        wrong, wanted = copy.deepcopy(image), {**expected, **{k: copy.deepcopy(expected[k]) for k in ("cyclonedx", "spdx")}}
        plant(wrong, wanted)
        if not any(check(wrong, wanted)):
            yield f"{check.__name__}: {what}"
    for check in checks.CHECKS:
        if not any(planted is check for planted, _, _ in MISTAKES):
            yield f"{check.__name__}: nothing is planted"
