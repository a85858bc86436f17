#!/usr/bin/env python3
"""Called like the program, it runs a role as a pod of the chart: pod.py api --port N --admin-port N, or migrate up.

The chart is rendered with what the environment says (DATABASE_URL and so on), and what it makes of that is run by
`podman play kube`: the Deployment as it is, of the migration's Job its pod. HELM, IMAGE and LABEL are the program of that
name, the image, and what marks whatever is left behind: a label of pods, and with a `t` the beginning of the names of secrets and volumes. SIGTERM stops the pod as a kubelet would; the exit code is the
container's.

What is changed of the chart's objects, and why: they get the host's network, one replica and, since podman 4.3 wants the
word, `optional: false`. Ports are left out, which podman would map, and probes, for which it would need a shell in the
image: the test asks itself.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.parse

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm/agenticai"


def values(arguments):
    """The chart's values for servers on this machine."""
    environment = os.environ
    database = urllib.parse.urlsplit(environment["DATABASE_URL"])
    registry, repository = environment["IMAGE"].split("/")
    repository, tag = repository.split(":")
    found = {
        "image": {"registry": registry, "repository": repository, "tag": tag, "pullPolicy": "Never"},
        "config": {
            "server": {"port": int(arguments.get("--port", 8000))},
            "cluster": {"adminPort": int(arguments.get("--admin-port", 9090))},
            "worker": {},
            "egress": {"allow": environment.get("AGENTICAI_EGRESS_ALLOW", "").split(",")},
        },
        "postgresql": {
            "mode": "external",
            "external": {"host": database.hostname, "port": database.port, "sslMode": "disable"},
            "username": database.username,
            "database": database.path.strip("/"),
            "auth": {"existingSecret": "postgresql"},
        },
        "redis": {"mode": "none"},
        "rabbitmq": {"mode": "none"},
        "secrets": {"generate": False, "signing": {"existingSecret": "signing"}, "llm": {"values": {}}},
    }
    for name, section, key in [
        ("AGENTICAI_CLUSTER_PRE_STOP_SECONDS", "cluster", "preStopSeconds"),
        ("AGENTICAI_WORKER_DRAIN_SECONDS", "worker", "drainSeconds"),
    ]:
        if name in environment:
            found["config"][section][key] = int(environment[name])
    if "REDIS_URL" in environment:
        found["redis"] = {"mode": "external", "external": {"url": environment["REDIS_URL"], "authenticated": False}}
    if "RABBITMQ_URL" in environment:
        queue = urllib.parse.urlsplit(environment["RABBITMQ_URL"])
        address = f"amqp://{queue.username}@{queue.hostname}:{queue.port}{queue.path}"
        found["rabbitmq"] = {"mode": "external", "external": {"url": address}, "auth": {"existingSecret": "rabbitmq"}}
        found["rabbitmq-password"] = queue.password
    if "AGENTICAI_MODEL_URL" in environment:
        found["secrets"]["llm"]["values"]["AGENTICAI_MODEL_URL"] = environment["AGENTICAI_MODEL_URL"]
    return found


def rendered(release, chosen):
    """Everything that the chart makes of these values."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(chosen, file)
        file.flush()
        command = [os.environ["HELM"], "template", release, str(CHART), "--values", file.name]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [document for document in yaml.safe_load_all(text) if document]


def runnable(documents, role):
    """The role's Deployment, or for `migrate` its Job's pod, as podman can run it; and the ConfigMaps that it reads."""
    kind, component = ("Job", "migration") if role == "migrate" else ("Deployment", role)
    (found,) = (
        document
        for document in documents
        if document["kind"] == kind and document["metadata"]["labels"]["app.kubernetes.io/component"] == component
    )
    spec = found["spec"]["template"]["spec"]
    spec["hostNetwork"] = True
    for volume in spec["volumes"]:
        if "secret" in volume:
            volume["secret"]["optional"] = False
    for container in spec["containers"]:
        for left_out in ("ports", "startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(left_out, None)
    metadata = found["spec"]["template"]["metadata"]
    metadata["labels"]["agenticai-test"] = os.environ["LABEL"]
    if kind == "Job":
        spec["restartPolicy"] = "Never"
        found = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": found["metadata"]["name"]}, "spec": spec}
    else:
        found["spec"]["replicas"] = 1
    return spec, [*(document for document in documents if document["kind"] == "ConfigMap"), found]


def podman(*arguments, **options):
    """Runs podman and answers what it prints."""
    return subprocess.run(["podman", *arguments], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def keep(release, spec, documents, plain):
    """Keeps the secrets that the pod refers to, and names every volume for this release: podman has one volume of a name.

    Podman 4.3 reads a secret in two ways: for variables as an object of values in base64, for files as one whose `data` has
    them as they are. What the chart makes of `secrets.llm` is read as variables here, and its files are empty."""
    made = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "Secret"}
    names = []
    for volume in spec["volumes"]:
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            data = made.get(name) or {"data": {"password": plain[name]}}
            kept = name if name in made else f"{release}-{name}"
            podman("secret", "create", kept, "-", input=json.dumps(data))
            volume["secret"]["secretName"] = kept
        else:
            kept = f"{release}-{volume['name']}"
            for container in spec["containers"]:
                for mount in container["volumeMounts"]:
                    if mount["name"] == volume["name"]:
                        mount["name"] = kept
            volume["name"] = kept
        names.append(kept)
    return names


def main():
    """Runs the pod until it ends or SIGTERM comes."""
    role, *rest = sys.argv[1:]
    arguments = dict(zip(rest[::2], rest[1::2])) if role != "migrate" else {}
    release = f"t{os.environ['LABEL']}-{os.getpid()}"
    chosen = values(arguments)
    plain = {"postgresql": "unused", "rabbitmq": chosen.pop("rabbitmq-password", "")}
    documents = rendered(release, chosen)
    spec, played = runnable(documents, role)
    kept = keep(release, spec, documents, plain)
    grace = spec.get("terminationGracePeriodSeconds", 30)
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    try:
        printed = podman("play", "kube", "--build=false", "-", input=yaml.safe_dump_all(played))
        (container,) = [line for line in printed.splitlines()[printed.splitlines().index("Container:") + 1:] if line]
        pod = podman("inspect", "--format", "{{.Pod}}", container).strip()
        logs = subprocess.Popen(["podman", "logs", "--follow", container])
        waiting = subprocess.Popen(["podman", "wait", container], stdout=subprocess.DEVNULL)
        while waiting.poll() is None:
            if told:
                told.clear()
                podman("stop", "--time", str(grace), container)
            try:
                waiting.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        code = int(podman("inspect", "--format", "{{.State.ExitCode}}", container))
        logs.wait(10)
        podman("pod", "rm", "--force", pod)
    finally:
        for command in (["secret", "rm"], ["volume", "rm", "--force"]):
            subprocess.run(["podman", *command, *kept], check=False, capture_output=True)
    sys.exit(code)


main()
