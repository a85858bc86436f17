"""Runs the pods of a rendered chart, without Kubernetes and without images.

A pod is a network namespace with an address of its own, on a bridge of its own; a container is a process in it with a
root directory that cannot be written to, the chart's volumes at the chart's paths, the chart's user, and the chart's
environment and command. Only the programs differ: they come from a directory (`tree`) instead of an image. Names of
pods are kept in a hosts file, as the headless Service would keep them. Volumes outlive pods, addresses do not.

To be run in namespaces of one's own, see `run`.
"""

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
CHART = os.path.join(HERE, "../../../helm/agenticai")
NAMESPACE = "agenticai"
PATH = "/usr/lib/rabbitmq/bin:/usr/lib/postgresql/{version}/bin:/usr/bin:/usr/sbin"


class Failed(Exception):
    """What a test says when it fails."""


def check(condition, message):
    """A claim of a test."""
    if not condition:
        raise Failed(message)


def eventually(what, probe, seconds=60, every=0.3):
    """Waits until `probe` gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"after {seconds} s still not: {what}")
        time.sleep(every)


def render(*values):
    """The chart's objects, with these values."""
    command = [os.environ["HELM"], "template", "agenticai", CHART, "--namespace", NAMESPACE]
    for value in values:
        command += ["--set", value]
    return [doc for doc in yaml.safe_load_all(subprocess.check_output(command, text=True)) if doc]


def find(docs, kind, name):
    """One of them."""
    for doc in docs:
        if doc["kind"] == kind and doc["metadata"]["name"] == name:
            return doc
    raise Failed(f"the chart renders no {kind} {name}")


class Network:
    """The bridge, the names, and everything that is on them."""

    def __init__(self, docs, tree, log):
        self.docs, self.tree, self.log = docs, tree, log
        self.dir = tempfile.mkdtemp(prefix="agenticai-pods-")
        # In memory: the tests kill processes, not machines.
        sh(f"mount -t tmpfs pods {self.dir}")
        os.chmod(self.dir, 0o755)
        self.hosts = os.path.join(self.dir, "hosts")
        self.names = {}
        self.next_address = 10
        self.pods = []
        versions = os.listdir(os.path.join(tree, "usr/lib/postgresql"))
        self.path = PATH.format(version=max(versions, key=int))
        self._write_hosts()
        sh("ip link set lo up", "ip link add pods type bridge", "ip addr add 10.99.0.1/24 dev pods", "ip link set pods up")

    def pod(self, owner, ordinal):
        """A pod of a StatefulSet, not yet started."""
        pod = Pod(self, find(self.docs, "StatefulSet", owner), ordinal)
        self.pods.append(pod)
        return pod

    def close(self):
        for pod in self.pods:
            pod.kill()
        sh("ip link del pods", f"umount --lazy {self.dir}")
        os.rmdir(self.dir)

    def name(self, host, address):
        """Names a pod, or forgets its name where `address` is None."""
        self.names[host] = address
        self._write_hosts()

    def _write_hosts(self):
        lines = ["127.0.0.1 localhost"]
        for host, address in self.names.items():
            if address:
                lines.append(f"{address} {host} {host.split('.')[0]}")
        # In place: the file is mounted into containers.
        with open(self.hosts, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def content(self, volume):
        """The files of a volume that a ConfigMap or a Secret is."""
        if "configMap" in volume:
            return find(self.docs, "ConfigMap", volume["configMap"]["name"])["data"]
        secret = volume["secret"]
        data = find(self.docs, "Secret", secret["secretName"])["data"]
        return {item["path"]: base64.b64decode(data[item["key"]]).decode() for item in secret["items"]}


def sh(*commands):
    for command in commands:
        subprocess.run(command, shell=True, check=True)


def memory(text):
    """Bytes of a quantity like 2Gi."""
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi)", text).groups()
    return int(number) * 1024 ** (1 + ["Ki", "Mi", "Gi"].index(unit))


class Pod:
    """One pod of a StatefulSet. `start` and `kill` may be called again and again; what is on its claim stays."""

    def __init__(self, network, owner, ordinal):
        self.network, self.spec = network, owner["spec"]["template"]["spec"]
        self.name = f"{owner['metadata']['name']}-{ordinal}"
        self.host = f"{self.name}.{owner['spec']['serviceName']}.{NAMESPACE}.svc.cluster.local"
        security = self.spec["securityContext"]
        self.user, self.group = security["runAsUser"], security["fsGroup"]
        self.claim = self._directory(f"claim-{self.name}")
        self.address = self.sandbox = None
        self.containers = {}
        self.over = {}
        self.stopping = threading.Event()

    def _directory(self, name, mode=0o2775):
        path = os.path.join(self.network.dir, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, 0, self.group)
        os.chmod(path, mode)
        return path

    def lose_volume(self):
        """Empties the claim, as if the disk were gone."""
        shutil.rmtree(self.claim)
        self._directory(os.path.basename(self.claim))

    def start(self, env=None):
        """Starts all containers, each time with a new address. `env` takes the place of what the chart says."""
        self.over, self.stopping = env or {}, threading.Event()
        number = self.network.next_address
        self.network.next_address += 1
        self.address = f"10.99.0.{number}"
        self.sandbox = subprocess.Popen(["unshare", "--net", "--uts", "--ipc", "sleep", "infinity"])
        eventually("a network namespace", lambda: os.stat(f"/proc/{self.sandbox.pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino, 5, 0.01)
        into = f"nsenter --target {self.sandbox.pid} --net --uts"
        sh(
            f"ip link add pod{number} type veth peer name eth0 netns {self.sandbox.pid}",
            f"ip link set pod{number} master pods up",
            f"{into} hostname {self.name}",
            f"{into} ip link set lo up",
            f"{into} ip addr add {self.address}/24 dev eth0",
            f"{into} ip link set eth0 up",
            f"{into} ip route add default via 10.99.0.1",
        )
        self.network.name(self.host, self.address)
        self.scratch = tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.network.dir)
        os.chmod(self.scratch, 0o755)
        self.volumes = {volume["name"]: self._volume(volume) for volume in self.spec["volumes"]}
        self.volumes["data"] = self.claim
        self.containers, self.failed = {}, None
        threading.Thread(target=self._run, daemon=True).start()

    def _volume(self, volume):
        path = os.path.join(self.scratch, volume["name"])
        if "emptyDir" in volume:
            self._directory(path, 0o2777)
            return path
        self._directory(path, 0o755)
        for name, text in self.network.content(volume).items():
            file = os.path.join(path, name)
            with open(file, "w", encoding="utf-8") as out:
                out.write(text)
            os.chown(file, 0, self.group)
            os.chmod(file, 0o440 if "secret" in volume else 0o644)
        return path

    def _run(self):
        for container in self.spec.get("initContainers", []):
            process = self._container(container)
            if process.wait() != 0:
                self.failed = container["name"]
                return
        for container in self.spec["containers"]:
            if not self.stopping.is_set():
                self._container(container)

    def env(self, container):
        """Variables of a container, with what refers to fields and to each other filled in."""
        env = {"PATH": self.network.path, "LANG": "C.UTF-8"}
        for entry in container["env"]:
            if "value" in entry:
                value = re.sub(r"\$\((\w+)\)", lambda match: env.get(match.group(1), match.group(0)), entry["value"])
            elif "fieldRef" in entry["valueFrom"]:
                value = {"metadata.name": self.name, "status.podIP": self.address}[entry["valueFrom"]["fieldRef"]["fieldPath"]]
            else:
                value = str(memory(self.spec["containers"][0]["resources"]["limits"]["memory"]))
            env[entry["name"]] = value
        return {**env, **self.over}

    def _container(self, container):
        name = container["name"]
        root = os.path.join(self.scratch, f"root-{name}")
        os.makedirs(root, exist_ok=True)
        mounts = []
        for mount in container["volumeMounts"]:
            mounts.append(f"mkdir -p $R{mount['mountPath']}; mount --bind {self.volumes[mount['name']]} $R{mount['mountPath']}")
            if mount.get("readOnly"):
                mounts.append(f"mount -o remount,bind,ro $R{mount['mountPath']}")
        script = "\n".join([
            f"set -e; R={root}; mount -t tmpfs root $R; mkdir -p $R/usr $R/etc $R/proc $R/dev $R/tmp $R/run $R/var/lib",
            f"mount --bind {self.network.tree}/usr $R/usr; mount -o remount,bind,ro $R/usr",
            "for d in bin sbin lib lib64; do ln -s usr/$d $R/$d; done; ln -s ../run $R/var/run",
            f"mkdir -p $R/etc/alternatives; [ ! -d {self.network.tree}/etc/alternatives ] || mount --bind {self.network.tree}/etc/alternatives $R/etc/alternatives",
            "mount --rbind /dev $R/dev; mount -t proc proc $R/proc",
            f"echo 'root:x:0:0::/:/bin/sh\nserver:x:{self.user}:{self.group}::/:/bin/sh' >$R/etc/passwd",
            f"echo 'server:x:{self.group}:' >$R/etc/group; echo 'hosts: files' >$R/etc/nsswitch.conf",
            f"touch $R/etc/hosts; mount --bind {self.network.hosts} $R/etc/hosts; echo {self.name} >$R/etc/hostname",
            *mounts,
            "mount -o remount,ro $R",
            f'exec chroot --userspec={self.user}:{self.group} --groups={self.group} $R "$@"',
        ])
        log = open(os.path.join(self.network.log, f"{self.name}.{name}.log"), "ab")
        command = container.get("command", []) + container.get("args", [])
        process = subprocess.Popen(
            ["nsenter", f"--target={self.sandbox.pid}", "--net", "--uts", "--ipc",
             "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", *command],
            env=self.env(container), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )
        self.containers[name] = (process, container)
        return process

    def first_process(self, name):
        """The process in a container that got the chart's command, as seen from here; None where there is none (any more)."""
        process = self.containers[name][0]
        try:
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as file:
                children = file.read().split()
        except FileNotFoundError:
            return None
        return int(children[0]) if process.poll() is None and children else None

    def exec(self, *command, container=None, stdin=None):
        """Runs a command in a container, and gives what it printed, or None where it failed."""
        name = container or self.spec["containers"][0]["name"]
        if name not in self.containers:
            return None
        first = self.first_process(name)
        if not first:
            return None
        done = subprocess.run(
            ["nsenter", f"--target={first}", "--mount", "--pid", "--net", "--uts", "--ipc", "--root", "--wd",
             f"--setgid={self.group}", f"--setuid={self.user}", *command],
            env=self.env(self.containers[name][1]), input=stdin, text=True, capture_output=True, timeout=120, check=False,
        )
        if done.returncode != 0:
            self.error = done.stdout + done.stderr
            return None
        return done.stdout

    def probe(self, kind, name=None):
        """Whether a probe of a container succeeds."""
        name = name or self.spec["containers"][0]["name"]
        if name not in self.containers:
            return False
        probe = self.containers[name][1][kind]
        if "exec" in probe:
            return self.exec(*probe["exec"]["command"], container=name) is not None
        ports = {port["name"]: port["containerPort"] for port in self.containers[name][1]["ports"]}
        with socket.socket() as there:
            there.settimeout(2)
            return there.connect_ex((self.address, ports[probe["tcpSocket"]["port"]])) == 0

    def wait_ready(self, seconds=60):
        """Until the startup and readiness probes of all containers have succeeded."""
        for container in self.spec["containers"]:
            for kind in ("startupProbe", "readinessProbe"):
                if kind in container:
                    eventually(f"{self.name}: {kind} of {container['name']}", lambda: self._alive() and self.probe(kind, container["name"]), seconds)
        return self

    def _alive(self):
        if self.failed:
            raise Failed(f"{self.name}: the init container {self.failed} failed:\n{self.said(self.failed)}")
        for name, (process, _) in self.containers.items():
            if process.poll() not in (None, 0):
                raise Failed(f"{self.name}: {name} ended with {process.returncode}:\n{self.said(name)}")
        return True

    def said(self, name):
        """The last lines of a container's log."""
        with open(os.path.join(self.network.log, f"{self.name}.{name}.log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def stop(self, seconds=60):
        """As the kubelet stops a pod: what comes before, SIGTERM, and then patience."""
        began = time.monotonic()
        for name, (process, container) in list(self.containers.items()):
            if process.poll() is None and "lifecycle" in container:
                self.exec(*container["lifecycle"]["preStop"]["exec"]["command"], container=name)
        for name in list(self.containers):
            self._signal(name, signal.SIGTERM)
        for name, (process, _) in list(self.containers.items()):
            try:
                process.wait(max(0.1, seconds - (time.monotonic() - began)))
            except subprocess.TimeoutExpired:
                raise Failed(f"{self.name}: {name} did not stop in {seconds} s") from None
        self.kill()
        return time.monotonic() - began

    def _signal(self, name, number):
        first = self.first_process(name)
        if first:
            os.kill(first, number)

    def kill(self):
        """As if the node were gone: no process says good-bye, and its address and name are gone with it."""
        self.stopping.set()
        if not self.sandbox:
            return
        for name, (process, _) in list(self.containers.items()):
            self._signal(name, signal.SIGKILL)
            process.kill()
            process.wait()
        sh(f"ip link del pod{self.address.split('.')[-1]}")
        self.sandbox.kill()
        self.sandbox.wait()
        self.sandbox = None
        self.network.name(self.host, None)
        shutil.rmtree(self.scratch, ignore_errors=True)
