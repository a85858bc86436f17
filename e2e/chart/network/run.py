"""Holds the rendered NetworkPolicies against the table of flows in docs/kubernetes/network.md: `run.py HELM`.

In each mode every pair of ends is tried on every port, and both of them must say what the table says, each for itself: the sender's
policies and the receiver's. What is allowed and is not in the table is as wrong as the reverse. Then each policy and each rule is
taken away and each rule opened, one at a time: a test that does not notice proves nothing."""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from modes import MODES
from policies import End, consents, selects
from table import holds, look_up, ports_of, read

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm/agenticai"
NAMESPACE = "agenticai"
# In place of ends whose addresses nobody knows.
ANYBODY = []
# Ports of something that listens, and some that nobody should reach.
NOBODYS = [("TCP", 22), ("TCP", 8001), ("TCP", 13133), ("TCP", 16685), ("UDP", 4317), ("UDP", 5432), ("TCP", 15008), ("TCP", 53)]


def laid_over(values, more):
    """Values with others laid over them, as Helm does it."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            laid_over(values[key], value)
        else:
            values[key] = value
    return values


def render(helm, overrides):
    """The chart's objects."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(overrides, file)
        file.flush()
        command = [helm, "template", "agenticai", CHART, "--namespace", NAMESPACE, "--values", file.name]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [item for item in yaml.safe_load_all(printed) if item]


def pods(objects):
    """The pods of this release by component: as rendered, and as operators label them."""
    labels = {}
    for item in objects:
        if item["kind"] in ("Deployment", "StatefulSet", "Job", "Pod"):
            found = (item if item["kind"] == "Pod" else item["spec"]["template"])["metadata"]["labels"]
            component = found["app.kubernetes.io/component"]
            labels.setdefault(component, []).append(found)
        elif item["kind"] == "Cluster":
            labels["postgresql"] = [{"cnpg.io/cluster": item["metadata"]["name"], "cnpg.io/podRole": "instance"}]
        elif item["kind"] == "RabbitmqCluster":
            name = item["metadata"]["name"]
            part = {"app.kubernetes.io/component": "rabbitmq", "app.kubernetes.io/part-of": "rabbitmq"}
            labels["rabbitmq"] = [{"app.kubernetes.io/name": name, **part}]
    return labels


class World:
    """Everybody who could speak or be spoken to, by the names of the table."""

    def __init__(self, objects, values):
        self.next = 0
        self.ours = {
            component: [self.pod(component, NAMESPACE, found) for found in several]
            for component, several in pods(objects).items()
        }
        self.others = {
            "DNS": [self.pod("DNS", "kube-system", {"k8s-app": "kube-dns"})],
            "Prometheus": [self.pod("Prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"})],
            "ingress controller or gateway": [self.pod("controller", "traefik", {"app": "traefik"})],
            "programs in the cluster": [self.pod("program", "programs", {"app": "program"})],
            "CloudNativePG's operator": [self.pod("cnpg", "cnpg-system", {"app": "cnpg"})],
            "RabbitMQ's operator": [self.pod("rabbitmq operator", "rabbitmq-system", {"app": "operator"})],
            "models and tools": [End("public IPv4", ("203.0.113.7",)), End("public IPv6", ("2606:4700::7",))],
            "the mesh's probes": [
                End("mesh IPv4", ("169.254.7.127",)),
                End("mesh IPv6", ("fd16:9254:7127:1337:ffff:ffff:ffff:ffff",)),
            ],
            "strangers": [
                self.pod("stranger beside", NAMESPACE, {"app": "stranger"}),
                self.pod("the same program, another release", NAMESPACE,
                         {"app.kubernetes.io/name": "agenticai", "app.kubernetes.io/instance": "other",
                          "app.kubernetes.io/component": "worker"}),
                self.pod("stranger elsewhere", "elsewhere", {"app.kubernetes.io/name": "agenticai"}),
                End("private IPv4", ("10.9.9.9",)), End("node", ("192.168.1.10",)), End("private IPv6", ("fd12::9",)),
                End("metadata", ("169.254.169.254",)), End("metadata IPv6", ("fd00:ec2::254",)),
            ],
        }
        # A pod of the release that no policy names: the default alone counts for it.
        default = {"app.kubernetes.io/name": "agenticai", "app.kubernetes.io/instance": "agenticai"}
        self.others["strangers"].append(
            self.pod("unnamed pod of the release", NAMESPACE, {**default, "app.kubernetes.io/component": "unnamed"}))
        self.servers(values)

    def pod(self, name, namespace, labels):
        """A pod with addresses of its own in both families."""
        self.next += 1
        return End(name, (f"10.244.0.{self.next}", f"fd00:10:244::{self.next:x}"), namespace, labels)

    def servers(self, values):
        """What is known by address alone; where no address is given, it may be anybody."""
        known = {
            "API server": "networkPolicy.apiServer.cidrs",
            "proxy": "networkPolicy.proxy.cidrs",
            "object store": "networkPolicy.backup.cidrs",
            "PostgreSQL outside": "postgresql.external.cidrs",
            "Redis outside": "redis.external.cidrs",
            "RabbitMQ outside": "rabbitmq.external.cidrs",
            "Collector outside": "otelCollector.external.cidrs",
            "Jaeger outside": "jaeger.external.cidrs",
            "Loki": "otelCollector.loki.cidrs",
            "Prometheus outside": "otelCollector.prometheus.cidrs",
        }
        for name, path in known.items():
            cidrs = look_up(values, path)
            own = [End(f"{name} {cidr}", (cidr.split("/")[0],)) for cidr in cidrs]
            self.others[name] = own or ANYBODY
        networks = [entry for entry in values["config"]["egress"]["allow"] if "/" in entry]
        self.others["networks in config.egress.allow"] = [
            End(f"named {cidr}", (cidr.split("/")[0],)) for cidr in networks
        ]

    def ends(self, name):
        """Those that a cell of the table means; a component that is not there has none."""
        return ANYBODY if name == "anyone" else self.ours.get(name) or self.others.get(name, [])

    def mine(self):
        """Pods that the policies are about."""
        unnamed = [end for end in self.others["strangers"] if end.name == "unnamed pod of the release"]
        return [end for ends in self.ours.values() for end in ends] + unnamed

    def everybody(self):
        """Once each."""
        several = list(self.ours.values()) + list(self.others.values())
        several = [ends for ends in several if ends is not ANYBODY]
        return list({end.name + end.addresses[0]: end for ends in several for end in ends}.values())


COMPONENTS = {"api", "worker", "scheduler", "migration", "postgresql", "redis", "rabbitmq", "chromadb", "otel-collector", "jaeger", "test"}


def wanted_ports(row, values, source, target, ports):
    """The ports of a row between two ends; None stands for anybody."""
    if row.ports == "all":
        probes = row.sources == ["the mesh's probes"]
        return {(protocol, port) for protocol, port in ports if protocol == "TCP" or probes}
    wanted = set(ports_of(row.ports, values))
    between_pods = all(end is None or end.namespace for end in (source, target)) and (source or target)
    if values["networkPolicy"]["ambient"] and between_pods and row.targets != ["DNS"] and target is not None:
        wanted.add(("TCP", 15008))
    return wanted


def expected(rows, world, values, ports):
    """What each end has to consent to: (direction, here, there, protocol, port)."""
    flows = set()
    everybody, mine = world.everybody(), set(world.mine())
    for row in rows:
        for name in row.sources + row.targets:
            assert name in COMPONENTS or name == "anyone" or name in world.others, f"the table names {name!r}, whom nobody knows"
        if not all(holds(condition, values) for condition in row.conditions):
            continue
        for sources in map(world.ends, row.sources):
            for targets in map(world.ends, row.targets):
                for source in [None] if sources is ANYBODY else sources:
                    for target in [None] if targets is ANYBODY else targets:
                        wanted = wanted_ports(row, values, source, target, ports)
                        if source in mine:
                            flows |= {("Egress", source, end, *one) for end in ([target] if target else everybody) for one in wanted}
                        if target in mine:
                            flows |= {("Ingress", target, end, *one) for end in ([source] if source else everybody) for one in wanted}
    return flows


def actual(policies, world, ports, pods=None, directions=("Ingress", "Egress")):
    """What the policies consent to."""
    return {
        (direction, here, there, *port)
        for here in (world.mine() if pods is None else pods)
        for there in world.everybody()
        for port in ports
        for direction in directions
        if consents(policies, direction, here, there, *port)
    }


def tell(flows):
    """Some flows, for people."""
    arrow = {"Ingress": "from", "Egress": "to"}
    lines = sorted(f"{here.name} {arrow[way]} {there.name}: {port} {protocol}" for way, here, there, protocol, port in flows)
    return "".join(f"\n    {line}" for line in lines[:12]) + (f"\n    … {len(lines)} in all" if len(lines) > 12 else "")


def mistakes(policies, policy):
    """The policies with one thing wrong in one of them, and what: a rule too few, or a rule that asks less."""
    name, others = policy["metadata"]["name"], [other for other in policies if other is not policy]
    yield f"without {name}", others, ("Ingress", "Egress")
    for way, peers in ("ingress", "from"), ("egress", "to"):
        direction = (way.capitalize(),)
        for i, rule in enumerate(policy["spec"].get(way) or []):
            wrong = copy.deepcopy(policy)
            del wrong["spec"][way][i]
            yield f"{name} without {way} rule {i}", [*others, wrong], direction
            for key in peers, "ports":
                if key in rule:
                    wrong = copy.deepcopy(policy)
                    del wrong["spec"][way][i][key]
                    yield f"{name} with {way} rule {i} for all {key}", [*others, wrong], direction


def main(helm):
    """Every mode; then mistakes, in each policy once, in whatever mode it is first seen."""
    rows = read(ROOT / "docs/kubernetes/network.md")
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    failures, flows, planted, used, seen = [], 0, 0, set(), set()
    for mode, overrides in MODES.items():
        values = laid_over(copy.deepcopy(defaults), overrides)
        objects = render(helm, overrides)
        policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
        world = World(objects, values)
        active = [row for row in rows if all(holds(condition, values) for condition in row.conditions)]
        used |= {rows.index(row) for row in active}
        named = {port for row in active if row.ports != "all" for port in ports_of(row.ports, values)}
        ports = sorted(named | set(NOBODYS))
        want, have = expected(active, world, values, ports), actual(policies, world, ports)
        flows += len(want)
        if have - want:
            failures.append(f"{mode}: allowed, and not in the table:{tell(have - want)}")
        if want - have:
            failures.append(f"{mode}: in the table, and denied:{tell(want - have)}")
        for policy in policies if have == want else []:
            if (written := json.dumps(policy, sort_keys=True)) in seen:
                continue
            seen.add(written)
            selector = policy["spec"]["podSelector"]
            pods = [end for end in world.mine() if selects(selector, end.labels)]
            before = {flow for flow in have if flow[1] in pods}
            for what, wrong, directions in mistakes(policies, policy):
                planted += 1
                if actual(wrong, world, ports, pods, directions) == {flow for flow in before if flow[0] in directions}:
                    failures.append(f"{mode}: nobody notices {what}")
    failures += [f"no mode looks at this row of the table: {rows[i]}" for i in sorted(set(range(len(rows))) - used)]
    print("\n".join(failures), end="\n" if failures else "")
    print(f"network: {len(MODES)} modes, {flows} consents as in the table, {planted} mistakes planted, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
