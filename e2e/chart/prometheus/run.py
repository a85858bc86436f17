"""Alerts and autoscalers' queries: `run.py HELM`. promtool parses them and tries them on series that are made up; that the program has
metrics of these names is looked up in its source."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
VALUES = ["prometheusRule.enabled=true", "worker.autoscaling.owner=keda"]
# What Prometheus or the library that prints metrics puts behind a name.
SUFFIXES = ["", "_total", "_seconds", "_seconds_bucket", "_seconds_sum", "_seconds_count", "_bucket", "_sum", "_count"]
PAGES = ["docs/operations.md", "docs/kubernetes.md", "docs/kubernetes/observability.md"]


def emitted():
    """The names that the source registers: whole, or as a prefix of a registry or a format with names beside it."""
    names = set()
    for file in ROOT.glob("crates/*/src/**/*.rs"):
        source = file.read_text()
        names |= set(re.findall(r'register(?:_with_unit|_collector)?\(\s*"(agenticai_\w+)"', source))
        names |= set(re.findall(r'encode_descriptor\(\s*"(agenticai_\w+)"', source))
        for prefix in re.findall(r'format!\("(agenticai_\w*_)\{name\}"\)', source):
            names |= {prefix + name for name in re.findall(r'\(\s*"([a-z_]+)",\s*"[A-Z]', source)}
        for prefix in re.findall(r'sub_registry_with_prefix\("(agenticai_\w+)"\)', source):
            names |= {f"{prefix}_{name}" for name in re.findall(r'register(?:_with_unit)?\(\s*"([a-z_]+)"', source)}
    return names


def unknown(text, names):
    """Metrics in a text that nothing emits."""
    known = {name + suffix for name in names for suffix in SUFFIXES}
    return sorted(set(re.findall(r"\bagenticai_[a-z_]+\b", text)) - known)


def adapter(page):
    """The queries that a page gives the Prometheus Adapter, as it asks them for this release."""
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", page, re.S) if "metricsQuery" in block)
    for rule in yaml.safe_load(block)["rules"]["external"]:
        series = rule["seriesQuery"].partition("{")[0]
        yield rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.LabelMatchers>>", 'namespace="agenticai"')


def promtool(*arguments):
    """Runs promtool, and says what it said where it fails."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"promtool {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(helm):
    """Renders, parses, tries, looks names up."""
    command = [helm, "template", "agenticai", ROOT / "helm/agenticai", "--namespace", "agenticai", "--set", ",".join(VALUES)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = {item["kind"]: item for item in yaml.safe_load_all(printed) if item and item["kind"] in ("PrometheusRule", "ScaledObject")}
    triggers = objects["ScaledObject"]["spec"]["triggers"]
    queries = [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]
    rules = objects["PrometheusRule"]["spec"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "rules.yaml"
        file.write_text(yaml.safe_dump(rules))
        print(promtool("check", "rules", file).strip().splitlines()[-1].strip())
        text = (Path(__file__).parent / "alerts.test.yaml").read_text().replace("RULES", str(file), 2)
        for name, query in zip(("QUERY_TASKS_READY", "QUERY_TASKS_IN_FLIGHT"), queries, strict=True):
            text = text.replace(name, f"'{query}'")
        test = Path(directory) / "test.yaml"
        test.write_text(text)
        promtool("test", "rules", test)
    tried = set(re.findall(r"alertname: (\w+)", text))
    rules = [rule for group in rules["groups"] for rule in group["rules"]]
    if missing := {rule["alert"] for rule in rules} - tried:
        raise SystemExit(f"no test of these alerts: {sorted(missing)}")
    if (documented := list(adapter((ROOT / PAGES[-1]).read_text()))) != queries:
        raise SystemExit(f"{PAGES[-1]} gives the adapter other queries than the chart gives KEDA:\n{documented}\n{queries}")
    names = emitted()
    places = {"the alerts": " ".join(rule["expr"] for rule in rules), "KEDA's queries": " ".join(queries)}
    places |= {page: (ROOT / page).read_text() for page in PAGES}
    places["templates/hpa.yaml"] = (ROOT / "helm/agenticai/templates/hpa.yaml").read_text()
    wrong = {place: found for place, text in places.items() if (found := unknown(text, names))}
    if wrong:
        raise SystemExit(f"metrics that the program does not have: {wrong}")
    print(f"prometheus: {len(rules)} alerts and {len(queries)} queries tried; every metric in them is one of the program's {len(names)}")


if __name__ == "__main__":
    if sys.argv[1] == "--names":
        print("\n".join(sorted(name + suffix for name in emitted() for suffix in SUFFIXES)))
    else:
        main(sys.argv[1])
