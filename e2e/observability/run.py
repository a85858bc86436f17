"""Collector and Jaeger with the chart's configurations: `run.py HELM OTELCOL JAEGER LOKI`.

Every configuration has to be accepted by the real program; then a span, a number and a line of log are sent to the Collector and read
back where they belong. Only ports and addresses are changed, so that they are free on this machine."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LOKI = {"otelCollector": {"loki": {"endpoint": "http://loki.example.com:3100/otlp", "tenant": "agenticai"}}}
# Configurations that only have to be accepted.
COLLECTORS = {
    "default": {},
    "Loki and a Prometheus that is sent to": {
        "otelCollector": {**LOKI["otelCollector"], "prometheus": {"endpoint": "https://prometheus.example.com/api/v1/otlp"}}
    },
    "Jaeger elsewhere": {"jaeger": {"mode": "external", "external": {"endpoint": "jaeger.example.com:4317", "insecure": True}}},
    "no Jaeger": {"jaeger": {"mode": "disabled"}},
    "something laid over it": {"otelCollector": {"extraConfig": {"processors": {"batch": {"timeout": "5s"}}}}},
}
BADGER = {"jaeger": {"storage": {"type": "badger"}, "basePath": "/jaeger"}}
JAEGERS = {"memory": {}, "badger": BADGER}


def config(helm, component, values):
    """The configuration that the chart gives a component."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        command = [helm, "template", "agenticai", ROOT / "helm/agenticai", "--namespace", "agenticai", "--values", file.name]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for item in yaml.safe_load_all(printed):
        if item and item["kind"] == "ConfigMap" and item["metadata"]["name"] == f"agenticai-{component}":
            return item["data"]["config.yaml"]
    raise SystemExit(f"the chart renders no configuration of {component}")


def free():
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def moved(text, ports):
    """A configuration with its ports put elsewhere: `port: N`, and `:N` at the end of an address."""
    for port, other in ports.items():
        text = re.sub(rf"(:|port: ){port}\b", rf"\g<1>{other}", text)
    return text


@contextlib.contextmanager
def running(name, command, directory):
    """A program, which is ended with the test; what it says is told where it ends before that."""
    log = directory / f"{name}.log"
    with log.open("a") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=directory)
    try:
        yield
        if process.poll() is not None:
            raise SystemExit(f"{name} has ended with {process.returncode}:\n{log.read_text()[-3000:]}")
    except Exception:
        print(f"{name} said:\n{log.read_text()[-3000:]}")
        raise
    finally:
        process.terminate()
        process.wait(20)


def ask(url, body=None, headers=None):
    """The answer's body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def until(what, test, seconds=60):
    """Waits until a test gives something."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if found := test():
                return found
        except (OSError, urllib.error.URLError) as error:
            last = error
        time.sleep(0.2)
    raise TimeoutError(f"{what}: not within {seconds} s ({last})")


def telemetry(now):
    """One of each kind, in OTLP's JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "agenticai-test"}}]}
    span = {"traceId": TRACE, "spanId": SPAN, "name": "a step", "kind": 1, "startTimeUnixNano": now, "endTimeUnixNano": now}
    point = {"asInt": "42", "timeUnixNano": now}
    number = {"name": "answers", "sum": {"dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": True}}
    line = {"timeUnixNano": now, "severityText": "INFO", "body": {"stringValue": "a line of log"}}
    return {
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]},
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [number]}]}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [line]}]}]},
    }


def accepted(helm, otelcol, jaeger, directory):
    """Each program takes each of its configurations."""
    for component, binary, modes in ("otel-collector", otelcol, COLLECTORS), ("jaeger", jaeger, JAEGERS):
        for name, values in modes.items():
            file = directory / "config.yaml"
            file.write_text(config(helm, component, values))
            done = subprocess.run([binary, "validate", f"--config={file}"], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{component} refuses its configuration ({name}):\n{done.stderr}")
            print(f"{component} accepts its configuration: {name}")
    # The same has to fail where something is wrong, or nothing was looked at.
    file.write_text(config(helm, "otel-collector", {}).replace("memory_limiter:", "memory_limits:"))
    if subprocess.run([binary, "validate", f"--config={file}"], capture_output=True).returncode == 0:
        raise SystemExit("a configuration with a mistake in it was accepted")


def passes(helm, otelcol, jaeger, loki, directory):
    """Telemetry passes through the Collector, and a trace outlives Jaeger's restart."""
    to = {port: free() for port in (4317, 4318, 8888, 8889, 13133)}
    kept = {port: free() for port in (4317, 8888, 13133, 16685, 16686)}
    logs = free()
    files = {name: directory / f"{name}.yaml" for name in ("otel-collector", "jaeger", "loki")}
    text = moved(config(helm, "otel-collector", LOKI), to)
    text = re.sub(r"agenticai-jaeger\.agenticai\.svc\.cluster\.local:\d+", f"127.0.0.1:{kept[4317]}", text)
    files["otel-collector"].write_text(text.replace("http://loki.example.com:3100", f"http://127.0.0.1:{logs}"))
    text = moved(config(helm, "jaeger", BADGER), kept)
    files["jaeger"].write_text(text.replace("/var/lib/jaeger", str(directory / "data")))
    text = (Path(__file__).parent / "loki.yaml").read_text()
    files["loki"].write_text(text.replace("HERE", str(directory)).replace("PORT", str(logs)).replace("GRPC", str(free())))
    pages = f"http://127.0.0.1:{kept[16686]}/jaeger"
    health = {"jaeger": f"http://127.0.0.1:{kept[13133]}/status", "otel-collector": f"http://127.0.0.1:{to[13133]}/"}
    tenant = {"X-Scope-OrgID": "agenticai"}
    find_trace = lambda: "a step" in ask(f"{pages}/api/traces/{TRACE}")

    with (
        running("loki", [loki, f"-config.file={files['loki']}"], directory),
        running("otel-collector", [otelcol, f"--config={files['otel-collector']}"], directory),
    ):
        with running("jaeger", [jaeger, f"--config={files['jaeger']}"], directory):
            for name, url in health.items():
                until(f"{name} is healthy", lambda url=url: ask(url))
            until("Loki is ready", lambda: "ready" in ask(f"http://127.0.0.1:{logs}/ready"))
            now = time.time_ns()
            for kind, body in telemetry(str(now)).items():
                ask(f"http://127.0.0.1:{to[4318]}/v1/{kind}", body)
            until("the span is in Jaeger", find_trace)
            print("a span arrived in Jaeger, below its base path")
            until("the number is on the page", lambda: re.search(r'^answers_total\{.*service_name="agenticai-test".*\} 42',
                                                                ask(f"http://127.0.0.1:{to[8889]}/metrics"), re.M))
            print("a number arrived on the page for Prometheus")
            query = f"http://127.0.0.1:{logs}/loki/api/v1/query_range?query=%7Bservice_name%3D%22agenticai-test%22%7D&start={now - 10**10}"
            until("the line is in Loki", lambda: "a line of log" in ask(query, headers=tenant))
            print("a line of log arrived in Loki, with its tenant")
            for name, port in ("otel-collector", to[8888]), ("jaeger", kept[8888]):
                until(f"{name} has metrics of its own", lambda port=port: "# TYPE" in ask(f"http://127.0.0.1:{port}/metrics"))
        with running("jaeger", [jaeger, f"--config={files['jaeger']}"], directory):
            until("the span is there after a restart", find_trace)
            print("the trace outlived Jaeger's restart on its volume")


def main(helm, *programs):
    """Everything, in a directory that is gone afterwards."""
    # A proxy of the surroundings must not be asked for this machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    directory = Path(tempfile.mkdtemp())
    try:
        accepted(helm, *programs[:2], directory)
        passes(helm, *programs, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
