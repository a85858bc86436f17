#!/usr/bin/env python3
"""Looks at an image that docker/build.sh has built twice: inspect_image.py ARCH FIRST SECOND

FIRST and SECOND are what the two builds wrote, without the endings `.oci.tar`, `.cdx.json` and `.spdx.json`. EPOCH and
REVISION, in the environment, are what the image has to be dated and marked with.
"""

import json
import os
import pathlib
import subprocess
import sys
import tomllib

import archive
import checks
import mistakes

TARGETS = {"amd64": "x86_64-unknown-linux-musl", "arm64": "aarch64-unknown-linux-musl"}


def main():
    """Prints what is wrong; the number of faults is the exit code's."""
    arch, first, second = sys.argv[1:]
    image = archive.read(first + ".oci.tar")
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
    expected = {
        "arch": arch,
        "version": tomllib.loads((checks.ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"],
        "revision": os.environ["REVISION"],
        "epoch": int(os.environ["EPOCH"]),
        "paths": [str(checks.ROOT), os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")), sysroot],
        "again": archive.read(second + ".oci.tar"),
        "cyclonedx": json.loads(pathlib.Path(first + ".cdx.json").read_text()),
        "spdx": json.loads(pathlib.Path(first + ".spdx.json").read_text()),
        "linked": checks.linked(TARGETS[arch]),
    }
    wrong = [f"{check.__name__}: {fault}" for check in checks.CHECKS for fault in check(image, expected)]
    wrong += [f"a planted mistake was not found: {what}" for what in mistakes.missed(image, expected)]
    print("\n".join(wrong) or f"{len(checks.CHECKS)} checks passed, {len(mistakes.MISTAKES)} planted mistakes found; "
          f"{image.size} bytes, {len(expected['linked'])} crates; {image.digests[0]}")
    sys.exit(bool(wrong))


main()
