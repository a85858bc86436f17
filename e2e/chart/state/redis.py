"""Redis as the chart runs it: one server, three under Sentinel, and a cluster of six."""

import os

from pods import Failed, Network, check, eventually, render

NEWER = os.environ["NEWER"]
NAME = "agenticai-redis"
GROUP = "agenticai"


def values(tree, mode):
    """Values for a mode, with the programs that the tree has."""
    programs = ["redis.commands.server=redis-server", "redis.commands.cli=redis-cli"] if tree == "/" else []
    return [f"redis.mode={mode}", *programs]


def ask(pod, *command, port=6379, cluster=False):
    """An answer of the server, by the password of the chart's Secret; None where there is none."""
    words = " ".join(f"'{word}'" for word in command)
    answer = pod.exec("sh", "-c", 'REDISCLI_AUTH=$(cat "$PASSWORD_FILE") exec "$CLI" --no-auth-warning '
                      f"{'-c' if cluster else ''} -h $HOST -p {port} {words}")
    return answer.strip() if answer is not None else None


def live(pods):
    return [pod for pod in pods if pod.sandbox]


def info(pod):
    """What the server says of replication."""
    lines = (ask(pod, "info", "replication") or "").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def synced(pods):
    """Whether every replica is connected and has all that its master has sent."""
    said = [info(pod) for pod in live(pods)]
    sent = {answer["master_repl_offset"] for answer in said if answer.get("role") == "master"}
    replicas = [answer for answer in said if answer.get("role") == "slave"]
    return replicas and all(answer["master_link_status"] == "up" and answer["slave_repl_offset"] in sent for answer in replicas)


def single(tree, log):
    """one server: what was written is there after a kill, and nobody comes in without the password"""
    network = Network(render(*values(tree, "single")), tree, log)
    try:
        pod = network.pod(NAME, 0)
        pod.start()
        pod.wait_ready()
        for setting, wanted in [("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction"), ("maxmemory", str(1 << 30))]:
            check(ask(pod, "config", "get", setting) == f"{setting}\n{wanted}", f"{setting} is {ask(pod, 'config', 'get', setting)}")
        check("NOAUTH" in (pod.exec("sh", "-c", '"$CLI" -h $HOST ping') or ""), "a client without a password was let in")
        check(ask(pod, "set", "kept", "1") == "OK", "a write")
        eventually("the write is on the volume", lambda: "aof_pending_bio_fsync:0" in ask(pod, "info", "persistence"), 5)
        pod.kill()
        pod.start()
        pod.wait_ready()
        check(ask(pod, "get", "kept") == "1", "what was written is there after a kill")
        check(pod.stop() < 10, "it stops in time")
    finally:
        network.close()


def masters(pods):
    return [pod for pod in live(pods) if (ask(pod, "role") or "").startswith("master")]


def named(pods):
    """Who is the master, as all sentinels that are there say; None where they do not agree."""
    answers = {ask(pod, "sentinel", "get-master-addr-by-name", GROUP, port=26379) for pod in live(pods)}
    answer = answers.pop() if len(answers) == 1 else None
    return answer.split("\n")[0] if answer else None


def sentinel(tree, log):
    """sentinel: pod 0 may be lost, and return, and all may return with other addresses; a stop hands over first"""
    # Long enough for a master with an empty volume to come back before anybody has missed it.
    network = Network(render(*values(tree, "sentinel"), "redis.sentinel.downAfterMilliseconds=8000"), tree, log)
    try:
        pods = [network.pod(NAME, ordinal) for ordinal in range(3)]
        for pod in pods:
            pod.start()
        for pod in pods:
            pod.wait_ready()
        check(masters(pods) == [pods[0]], "pod 0 is the first master")
        eventually("every sentinel knows two others and two replicas", lambda: all(
            (ask(pod, "sentinel", "master", GROUP, port=26379) or "").find("num-other-sentinels\n2") > 0 and
            (ask(pod, "sentinel", "master", GROUP, port=26379) or "").find("num-slaves\n2") > 0 for pod in pods), 40)
        check(named(pods) == pods[0].host, f"sentinels name the master by its name, not {named(pods)}")
        check(ask(pods[0], "set", "kept", "1") == "OK", "a write")
        eventually("the write is at both replicas", lambda: synced(pods), 30, 0.1)

        pods[0].kill()
        eventually("another master after pod 0 is lost", lambda: named(pods) in (pods[1].host, pods[2].host) and masters(pods), 60)
        master = masters(pods)[0]
        check(ask(master, "get", "kept") == "1", "what was written before is read after")
        check(ask(master, "set", "kept", "2") == "OK", "the new master takes writes")
        pods[0].start()
        pods[0].wait_ready()
        eventually("pod 0 is a replica of the new master", lambda: info(pods[0]).get("master_link_status") == "up", 40)
        check(ask(pods[0], "get", "kept") == "2", "pod 0 has what was written while it was away")

        # All are lost, pod 0 first, which misses a write; each comes back with another address. What the sentinels know has
        # to outlive them: with pod 0 as the master, as at the beginning, the write would be gone.
        pods[0].kill()
        check(ask(master, "set", "kept", "3") == "OK", "a write without pod 0")
        eventually("it is on the volume", lambda: "aof_pending_bio_fsync:0" in ask(master, "info", "persistence"), 5)
        for pod in pods:
            pod.kill()
        for pod in pods:
            pod.start()
        for pod in pods:
            pod.wait_ready()
        eventually("one master, named by all", lambda: len(masters(pods)) == 1 and named(pods) == masters(pods)[0].host, 60)
        master = masters(pods)[0]
        check(ask(master, "get", "kept") == "3", "what was written last is there after all were lost")
        eventually("both replicas follow", lambda: info(master)["connected_slaves"] == "2" and synced(pods), 60)

        # A master whose volume is gone comes back at once: it must not empty the others.
        master.kill()
        master.lose_volume()
        master.start()
        eventually("another master", lambda: named(pods) not in (None, master.host) and [pod for pod in masters(pods) if pod is not master], 60)
        master.wait_ready()
        eventually("nothing was lost with the volume", lambda: all(ask(pod, "get", "kept") == "3" for pod in pods), 40)

        # A planned stop: the next master is there before the old one has gone.
        master = masters(pods)[0]
        master.stop()
        check(len(masters(pods)) == 1, "another master takes over before the stop ends")
    finally:
        network.close()


def nodes(pod):
    return [line.split() for line in (ask(pod, "cluster", "nodes") or "").splitlines()]


def healthy(pods):
    """Every node that is there says that all is well and knows all six, connected, where they are now, by their names."""
    there = sorted(f"{pod.address}:6379@16379,{pod.host}" for pod in pods)
    for pod in live(pods):
        if "cluster_state:ok" not in (ask(pod, "cluster", "info") or ""):
            return False
        known = nodes(pod)
        # More may follow the name: Valkey adds the shard.
        if sorted(",".join(node[1].split(",")[:2]) for node in known) != there or any(node[7] != "connected" or "fail" in node[2] for node in known if "myself" not in node[2]):
            return False
    return True


def holder(pods, role):
    """A pod that has this role."""
    return next(pod for pod in pods if role in next(node for node in nodes(pod) if "myself" in node[2])[2])


def spread(pods):
    """Whether there are three masters with all slots, and each has one replica."""
    known = nodes(live(pods)[0])
    followed = sorted(node[3] for node in known if "master" not in node[2])
    return followed == sorted(node[0] for node in known if "master" in node[2] and len(node) > 8) and len(followed) == 3


def cluster(tree, log):
    """cluster: six nodes form it by themselves, a master may be lost, all may return elsewhere, a volume may be lost"""
    network = Network(render(*values(tree, "cluster")), tree, log)
    pods = [network.pod(NAME, ordinal) for ordinal in range(6)]
    try:
        for pod in pods:
            pod.start()
        for pod in pods:
            pod.wait_ready()
        eventually("six nodes that know each other", lambda: healthy(pods), 90, 1)
        eventually("three masters and a replica of each", lambda: spread(pods), 60, 1)
        check(all(pod.host in ask(pods[0], "cluster", "nodes") for pod in pods), "nodes are announced by their names")
        for key in range(30):
            check(ask(pods[0], "set", f"key{key}", str(key), cluster=True) == "OK", f"a write of key{key}")
        moved = [answer for answer in (ask(pods[0], "get", f"key{key}") for key in range(30)) if "MOVED" in answer]
        check(moved and all(f".{NAME}-headless." in answer for answer in moved), f"clients are sent on to names: {moved}")

        eventually("replicas have what was written", lambda: synced(pods), 40)
        victim = holder(pods, "master")
        others = [pod for pod in pods if pod is not victim]
        victim.kill()
        eventually("a replica takes over", lambda: all("cluster_state:ok" in (ask(pod, "cluster", "info") or "") and sum(
            "master" in node[2] and len(node) > 8 and victim.host not in node[1] for node in nodes(pod)) == 3 for pod in others), 60, 1)
        for key in range(30):
            eventually(f"key{key} is read after the failover", lambda key=key: ask(others[0], "get", f"key{key}", cluster=True) == str(key), 30)
        victim.start()
        victim.wait_ready()
        eventually("the lost node is back", lambda: healthy(pods), 60, 1)

        for pod in pods:
            pod.kill()
        for pod in pods:
            pod.start()
        for pod in pods:
            pod.wait_ready()
        eventually("the cluster finds itself with new addresses", lambda: healthy(pods), 90, 1)
        for key in range(30):
            eventually(f"key{key} is there after all were killed", lambda key=key: ask(pods[1], "get", f"key{key}", cluster=True) == str(key), 30)
        eventually("three masters and a replica of each, still", lambda: spread(pods), 30, 1)

        # A replica that lost its volume is another node: it takes the place of the old one by itself.
        victim = holder(pods, "slave")
        victim.kill()
        victim.lose_volume()
        eventually("its loss is noticed", lambda: any("fail" in node[2].split(",") for node in nodes(pods[pods[0] is victim])), 40, 1)
        victim.start()
        victim.wait_ready()
        eventually("it is a replica again, and its former self is forgotten", lambda: healthy(pods) and spread(pods), 90, 1)

        # A planned stop of a master: its replica takes over first.
        victim = holder(pods, "master")
        other = pods[pods[0] is victim]
        victim.stop()
        check(sum("master" in node[2] and len(node) > 8 for node in nodes(other) if victim.host not in node[1]) == 3,
              "a replica takes over before the stop ends")
    except Failed:
        # What each node thought of the others goes with the logs.
        with open(f"{log}/nodes.txt", "w", encoding="utf-8") as file:
            for pod in live(pods):
                file.write(f"{pod.name} {pod.address}\n{ask(pod, 'cluster', 'nodes')}\n{ask(pod, 'cluster', 'info')}\n\n")
        raise
    finally:
        network.close()


TESTS = [(single, NEWER), (sentinel, NEWER), (cluster, NEWER)]
# Redis 7.0, for those who put it in the place of Valkey.
MORE = [(single, "/"), (sentinel, "/"), (cluster, "/")]
