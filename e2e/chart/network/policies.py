"""What NetworkPolicies allow, as Kubernetes defines it: a pod that no policy selects in a direction is open in it; one that is
selected admits what any rule of any of those policies admits. A connection needs the consent of both ends."""

from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network


@dataclass(frozen=True)
class End:
    """One end of a flow: a pod (with a namespace), or an address without one."""

    name: str
    addresses: tuple
    namespace: str | None = None
    labels: dict = field(default_factory=dict, hash=False, compare=False)


def selects(selector, labels):
    """Whether a label selector matches; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or []:
        value, values = labels.get(term["key"]), term.get("values") or []
        matched = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[term["operator"]]
        if not matched:
            return False
    return True


@cache
def inside(address, cidr):
    """Whether an address is in a network; never in one of the other family."""
    return ip_address(address) in ip_network(cidr)


def within(address, block):
    """Whether an address is in an ipBlock."""
    return inside(address, block["cidr"]) and not any(inside(address, cidr) for cidr in block.get("except") or [])


def is_peer(peer, end, namespace):
    """Whether a rule of a policy in `namespace` means this end."""
    if "ipBlock" in peer:
        return any(within(address, peer["ipBlock"]) for address in end.addresses)
    if end.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"] or {}, {"kubernetes.io/metadata.name": end.namespace}):
            return False
    elif end.namespace != namespace:
        return False
    return selects(peer.get("podSelector") or {}, end.labels)


def is_port(rule_port, protocol, port):
    """Whether an entry of a rule's ports means this one; without a number it means all. Names of ports are not used here."""
    if rule_port.get("protocol", "TCP") != protocol:
        return False
    wanted = rule_port.get("port")
    return wanted is None or int(wanted) <= port <= int(rule_port.get("endPort", wanted))


def consents(policies, direction, here, there, protocol, port):
    """Whether the end `here` lets the flow pass in its direction (`Ingress` or `Egress`)."""
    if here.namespace is None:
        return True
    open_to_all = True
    for policy in policies:
        spec = policy["spec"]
        if policy["metadata"]["namespace"] != here.namespace or direction not in spec["policyTypes"]:
            continue
        if not selects(spec["podSelector"], here.labels):
            continue
        open_to_all = False
        for rule in spec.get(direction.lower()) or []:
            peers = rule.get("from" if direction == "Ingress" else "to")
            ports = rule.get("ports")
            if ports and not any(is_port(entry, protocol, port) for entry in ports):
                continue
            if peers and not any(is_peer(peer, there, here.namespace) for peer in peers):
                continue
            return True
    return open_to_all

