#!/usr/bin/env python3
"""Looks at docker-compose.yml: whether it follows the specification, and whether its containers are locked."""

import copy
import pathlib
import re
import subprocess
import sys

import compose_spec
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ONCE = {"migrate", "bootstrap"}
BY_HAND = {"bootstrap", "cli"}


def specification(compose):
    """Nothing in it is unknown, and every name that it refers to exists."""
    try:
        parsed = compose_spec.PyCompose.from_yaml(yaml.safe_dump(compose))
        parsed.validate()
    except ValueError as error:
        yield str(error)
        return
    for name, service in compose["services"].items():
        for other in service.get("depends_on", {}):
            if other not in compose["services"]:
                yield f"{name} depends on {other}, which is no service"


def locked(compose):
    """Nobody can write to its own files, or gain a right."""
    for name, service in compose["services"].items():
        if service.get("read_only") is not True:
            yield f"{name} can write to its root"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
            yield f"{name} keeps capabilities"
        if service.get("security_opt") != ["no-new-privileges:true"] or service.get("privileged"):
            yield f"{name} can gain privileges"
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user", ""))):
            yield f"{name} runs as {service.get('user')!r}"
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield f"{name} is published to everybody: {port}"


def images(compose):
    """Each is named with its version, and none is of a maker who has withdrawn it."""
    for name, service in compose["services"].items():
        image = service["image"]
        if not re.search(r":v?\d+\.\d+(\.\d+)?(-[\w.]+)?$", image) or "bitnami" in image:
            yield f"{name} takes {image}"


def health(compose):
    """Whoever stays is asked how it is, and waited for."""
    for name, service in compose["services"].items():
        probe = service.get("healthcheck", {})
        if name not in ONCE | BY_HAND and (not probe.get("test") or probe.get("disable")):
            yield f"{name} is never asked how it is"
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            if how["condition"] != wanted:
                yield f"{name} waits for {other} until {how['condition']}"
        if name in BY_HAND and service.get("profiles") != ["tools"]:
            yield f"{name} would be started with the others"
    if compose["services"]["worker"].get("stop_grace_period") != "330s":
        yield "the worker is killed before a call that must not be repeated can end"


def secrets(compose):
    """Passwords come out of files."""
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            by_file = not value or "/run/secrets/" in str(value) or "${secret:" in str(value)
            if re.search(r"PASS|KEY|TOKEN", variable) and not by_file and not variable.endswith("_FILE"):
                yield f"{name} is given {variable} in its environment"
            if re.search(r"//[^/@:]*:(?!\$\{secret:)[^/@]+@", str(value)):
                yield f"{name} is given an address with a password: {variable}"


def kept(compose):
    """What must outlive a container lies in a volume."""
    wanted = {
        "postgres": "postgres:/var/lib/postgresql", "rabbitmq": "rabbitmq:/var/lib/rabbitmq", "valkey": "valkey:/data",
    }
    for name, volume in wanted.items():
        if volume not in compose["services"][name].get("volumes", []):
            yield f"{name} keeps nothing in {volume}"


CHECKS = [specification, locked, images, health, secrets, kept]


def change(path, value):
    """A mistake: another value at a path below the services; None: nothing there."""

    def plant(compose):
        *way, last = path
        place = compose["services"]
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return plant


MISTAKES = [
    (specification, change(("api", "read_onli"), True)),
    (specification, change(("api", "secrets"), ["nowhere"])),
    (specification, change(("api", "networks"), ["nowhere"])),
    (specification, change(("api", "depends_on", "nobody"), {"condition": "service_healthy"})),
    (specification, change(("worker", "stop_grace_period"), "soon")),
    (locked, change(("valkey", "read_only"), False)),
    (locked, change(("api", "cap_drop"), None)),
    (locked, change(("postgres", "cap_add"), ["CHOWN"])),
    (locked, change(("worker", "security_opt"), None)),
    (locked, change(("rabbitmq", "user"), "0:0")),
    (locked, change(("api", "ports"), ["8000:8000"])),
    (images, change(("postgres", "image"), "docker.io/library/postgres:latest")),
    (images, change(("valkey", "image"), "docker.io/bitnami/valkey:9.0.0")),
    (health, change(("scheduler", "healthcheck"), None)),
    (health, change(("api", "depends_on", "migrate"), {"condition": "service_started"})),
    (health, change(("bootstrap", "profiles"), None)),
    (health, change(("worker", "stop_grace_period"), "10s")),
    (secrets, change(("postgres", "environment", "POSTGRES_PASSWORD"), "secret")),
    (secrets, change(("api", "environment", "REDIS_URL"), "redis://:secret@valkey:6379")),
    (kept, change(("valkey", "volumes"), None)),
]


def main():
    """Prints what is wrong; fails if anything is."""
    command = [sys.executable, "-m", "podman_compose", "--file", "docker-compose.yml", "--profile", "tools", "config"]
    filled = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    compose = yaml.safe_load(filled)
    wrong = [f"{check.__name__}: {fault}" for check in CHECKS for fault in check(compose)]
    for n, (check, plant) in enumerate(MISTAKES, 1):
        mistaken = copy.deepcopy(compose)
        plant(mistaken)
        if not any(check(mistaken)):
            wrong.append(f"{check.__name__} did not find planted mistake {n}")
    print("\n".join(wrong) or f"docker-compose.yml: {len(CHECKS)} checks passed, {len(MISTAKES)} planted mistakes found")
    sys.exit(bool(wrong))


main()
