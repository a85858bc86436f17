"""The table of flows in docs/kubernetes/network.md: what people read is what the test holds policies against."""

import re
from dataclasses import dataclass
from pathlib import Path

HEAD = ["From", "To", "Port", "When"]


@dataclass
class Row:
    """Flows from each of `sources` to each of `targets`, where all of `conditions` hold."""

    sources: list
    targets: list
    ports: str
    conditions: list


def read(page: Path):
    """The rows of the table whose head is `HEAD`, with `Why` behind."""
    rows, inside = [], False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells[: len(HEAD)] == HEAD:
            inside = True
        elif inside and not cells:
            break
        elif inside and not set(cells[0]) <= {"-", " "}:
            sources, targets, ports, when = cells[: len(HEAD)]
            conditions = re.findall(r"`([^`]+)`", when)
            rows.append(Row(sources.split(", "), targets.split(", "), ports, conditions))
    if not rows:
        raise SystemExit(f"{page} has no table with the head {HEAD}")
    return rows


def look_up(values, path):
    """A value by its path with dots."""
    for key in path.split("."):
        values = values[key]
    return values


def holds(condition, values):
    """`path=value`, `path!=value`, or `path`: it is not empty."""
    path, differs, wanted = re.fullmatch(r"([\w.]+?)(?:(!?)=(.*))?", condition).groups()
    value = look_up(values, path)
    if wanted is None:
        return bool(value)
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return (written == wanted) != bool(differs)


def ports_of(cell, values):
    """(protocol, port) of a cell such as `53 UDP, 53, 5432, networkPolicy.outside.ports`: numbers, or values that hold them."""
    found = []
    for entry in cell.split(", "):
        number, protocol = (entry.split() + ["TCP"])[:2]
        if number == "all":
            return "all"
        if number.isdigit():
            found.append((protocol, int(number)))
            continue
        value = look_up(values, number.strip("`"))
        for one in value if isinstance(value, list) else [value]:
            found += [(protocol, port) for port in numbers(str(one))]
    return found


def numbers(address):
    """The ports that a number, or an address with one or several hosts, names."""
    if address.isdigit():
        return [int(address)]
    defaults = {"": None, "http": 80, "https": 443, "redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
    scheme, _, rest = address.rpartition("://")
    hosts = [re.split(r"[/?]", host)[0] for host in rest.split(",")]
    found = [int(match.group(1)) if (match := re.search(r":(\d+)$", host)) else defaults[scheme] for host in hosts]
    return [port for port in found if port]
