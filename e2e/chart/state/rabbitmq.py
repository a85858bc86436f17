"""RabbitMQ as the chart runs it: three nodes that find each other, and never two clusters."""

import json
import os
import urllib.request

from pods import Network, check, eventually, render

NEWER = os.environ["NEWER"]
NAME = "agenticai-rabbitmq"


def ctl(pod, *command, program="rabbitmqctl"):
    """What one of RabbitMQ's own commands prints; None where it fails."""
    return pod.exec(program, "--quiet", *command)


def members(pod):
    """Who is a member of the node's cluster, and who of these runs, by the short names of pods."""
    answer = ctl(pod, "cluster_status", "--formatter", "json")
    if not answer:
        return [], []
    status = json.loads(answer)

    def short(nodes):
        return sorted(node.split("@")[1].split(".")[0] for node in nodes)

    return short(status["disk_nodes"]), short(status["running_nodes"])


def together(pods):
    """Whether all are in one cluster, and run."""
    names = [pod.name for pod in pods]
    return all(members(pod) == (names, names) for pod in pods)


def begin(network, ordinals=(0, 1, 2)):
    pods = [network.pod(NAME, ordinal) for ordinal in ordinals]
    for pod in pods:
        pod.start()
    for pod in pods:
        pod.wait_ready(300)
    return pods


def three(tree, log):
    """three nodes form one cluster; pod 0 loses its volume, and joins the others instead of founding a second one"""
    network = Network(render(), tree, log)
    try:
        pods = begin(network)
        eventually("three members", lambda: together(pods), 120, 2)
        check(ctl(pods[1], "authenticate_user", "agenticai", pods[0].exec("cat", "/run/secrets/rabbitmq/password").strip()) is not None,
              "the user of the chart is there")
        check(ctl(pods[0], "authenticate_user", "guest", "guest") is None, "guest is there")
        settings = ctl(pods[0], "environment").replace(" ", "").replace("\n", "")
        for setting in ("{consumer_timeout,1800000}", "{total_memory_available_override_value,2147483648}",
                        "{peer_discovery_backend,rabbit_peer_discovery_k8s}", "{target_cluster_size_hint,3}"):
            check(setting in settings, f"{setting} is not in the settings of the running node")
        # What a client's declaration without a type comes to.
        declare = ("V = <<\"/\">>, rabbit_amqqueue:declare({resource, V, queue, <<\"kept\">>}, true, false, "
                   "rabbit_amqqueue:augment_declare_args(V, true, false, false, []), none, <<\"agenticai\">>).")
        check(ctl(pods[0], "eval", declare) is not None, f"a queue is declared: {getattr(pods[0], 'error', '')}")
        queues = json.loads(ctl(pods[2], "list_queues", "name", "type", "members", "--formatter", "json"))
        check(len(queues) == 1 and "quorum" in queues[0]["type"] and len(queues[0]["members"]) == 3, f"a queue without a type is a quorum queue of three: {queues}")
        metrics = urllib.request.urlopen(f"http://{pods[0].address}:15692/metrics", timeout=10).read().decode()
        check("rabbitmq_identity_info" in metrics, "metrics are served")

        # Everything stops, and pod 0 comes back first, with an empty volume.
        for pod in pods:
            pod.kill()
        pods[0].lose_volume()
        pods[0].start()
        eventually("alone it waits", lambda: "this volume is empty" in said(pods[0]), 120)
        check("rabbitmq" not in pods[0].containers, "a new cluster was founded")
        pods[1].start()
        pods[2].start()
        for pod in pods:
            pod.wait_ready(300)
        eventually("three members again, with other addresses", lambda: together(pods), 120, 2)
        check("joining the cluster of" in said(pods[0]) and "forgets its former place" in said(pods[0]), f"it said: {said(pods[0])}")
        queues = json.loads(ctl(pods[0], "list_queues", "name", "--formatter", "json"))
        check(len(queues) == 1, f"the queue outlived it: {queues}")
    finally:
        network.close()


def said(pod):
    try:
        return pod.said("prepare")
    except FileNotFoundError:
        return ""


TESTS = [(three, NEWER)]
MORE = []
