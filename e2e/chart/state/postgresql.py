"""PostgreSQL as the chart runs it: one primary, standbys that stream, and a promotion by hand."""

import os

from pods import Network, check, eventually, find, render

NEWER = os.environ["NEWER"]
PRIMARY, REPLICA = "agenticai-postgresql", "agenticai-postgresql-replica"


def query(pod, sql, user="agenticai", database="agenticai", host="127.0.0.1"):
    """What a statement gives, by the password of the chart's Secret; None where it is refused."""
    key = {"agenticai": "password", "postgres": "postgres-password", "replicator": "replication-password"}[user]
    return pod.exec(
        "sh", "-c", f'PGPASSWORD=$(cat $SECRETS/{key}) exec psql --host={host} --username={user} --dbname={database} '
        '--no-psqlrc --tuples-only --no-align --set=ON_ERROR_STOP=1', stdin=sql,
    )


def value(pod, sql, **kwargs):
    return (query(pod, sql, **kwargs) or "").strip()


def selected(docs, service, pods):
    """Names of the pods that a Service selects."""
    wanted = find(docs, "Service", service)["spec"]["selector"]
    chosen = []
    for owner, pod in pods:
        labels = {**find(docs, "StatefulSet", owner)["spec"]["template"]["metadata"]["labels"], "statefulset.kubernetes.io/pod-name": pod}
        if wanted.items() <= labels.items():
            chosen.append(pod)
    return chosen


def one(tree, log):
    """one server: user, database and passwords are there, and outlive a kill and a restart"""
    network = Network(render(), tree, log)
    try:
        pod = network.pod(PRIMARY, 0)
        pod.start()
        pod.wait_ready()
        check(value(pod, "select current_user || ' ' || rolsuper from pg_roles where rolname = current_user") == "agenticai false",
              "the program's user is there, and no superuser")
        check(query(pod, "create table kept (n int); insert into kept values (1)") is not None, f"the user owns its database: {getattr(pod, 'error', '')}")
        for setting, wanted in [("synchronous_commit", "on"), ("fsync", "on"), ("password_encryption", "scram-sha-256"),
                                ("data_checksums", "on"), ("shared_buffers", "512MB"), ("max_connections", "400")]:
            check(value(pod, f"show {setting}") == wanted, f"{setting} is {value(pod, f'show {setting}')}, not {wanted}")
        check(value(pod, "select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = 'agenticai'", user="postgres", database="postgres") == "t",
              "passwords are kept by scram")
        check(pod.exec("sh", "-c", "PGPASSWORD=wrong exec psql --host=127.0.0.1 --username=agenticai --command='select 1'") is None,
              "a wrong password was let in")
        check(pod.exec("sh", "-c", "exec psql --no-password --host=/var/run/postgresql --username=postgres --command='select 1'") is None,
              "the socket let somebody in without a password")
        check(pod.exec("touch", "/etc/written") is None, "the root directory can be written to")
        pod.kill()
        pod.start()
        pod.wait_ready()
        check(value(pod, "select n from kept") == "1", "what was committed outlives a kill")
        took = pod.stop()
        check(took < 10, f"stopping took {took:.0f} s")
        pod.start()
        pod.wait_ready()
        check(value(pod, "select n from kept") == "1", "what was committed outlives a restart")
    finally:
        network.close()


def streaming(tree, log):
    """three servers: a row written at the primary is read at both standbys, whoever starts first; they refuse writes"""
    docs = render("postgresql.replicaCount=3")
    names = [(PRIMARY, f"{PRIMARY}-0"), (REPLICA, f"{REPLICA}-0"), (REPLICA, f"{REPLICA}-1")]
    check(selected(docs, PRIMARY, names) == [f"{PRIMARY}-0"], "the Service selects the primary alone")
    check(selected(docs, f"{PRIMARY}-replicas", names) == [f"{REPLICA}-0", f"{REPLICA}-1"], "the other Service selects the standbys")
    network = Network(docs, tree, log)
    try:
        standbys = [network.pod(REPLICA, 0), network.pod(REPLICA, 1)]
        primary = network.pod(PRIMARY, 0)
        for pod in [*standbys, primary]:
            pod.start()
        for pod in [primary, *standbys]:
            pod.wait_ready()
        query(primary, "create table streamed (n int); insert into streamed values (42)")
        for pod in standbys:
            eventually(f"the row is read at {pod.name}", lambda pod=pod: value(pod, "select n from streamed") == "42", 20)
            check(query(pod, "insert into streamed values (1)") is None, f"{pod.name} accepted a write")
        eventually("two standbys stream, by their names", lambda: value(
            primary, "select count(distinct application_name) from pg_stat_replication where state = 'streaming' and application_name like 'agenticai-postgresql-replica-_'",
            user="postgres", database="postgres") == "2", 20)
        # Everybody comes back with another address.
        for pod in [primary, *standbys]:
            pod.kill()
        for pod in [*standbys, primary]:
            pod.start()
        for pod in [primary, *standbys]:
            pod.wait_ready()
        query(primary, "insert into streamed values (43)")
        for pod in standbys:
            eventually(f"streaming goes on at {pod.name}", lambda pod=pod: value(pod, "select max(n) from streamed") == "43", 30)
    finally:
        network.close()


def promotion(tree, log):
    """a promotion by hand: what the standby has goes on at the new primary, the third follows, the old one is kept out"""
    network = Network(render("postgresql.replicaCount=3"), tree, log)
    try:
        old, new, third = network.pod(PRIMARY, 0), network.pod(REPLICA, 0), network.pod(REPLICA, 1)
        for pod in (old, new, third):
            pod.start()
        for pod in (old, new, third):
            pod.wait_ready()
        query(old, "create table kept (n int); insert into kept values (1)")
        eventually("the row is at the standby", lambda: value(new, "select n from kept") == "1", 20)
        for pod in (old, new, third):
            pod.kill()
        # With its volume gone and standbys alive, the old one must not begin anew.
        saved = f"{old.claim}.saved"
        os.rename(old.claim, saved)
        os.makedirs(old.claim)
        old.lose_volume()
        new.start()
        new.wait_ready()
        old.start()
        eventually("an empty primary beside a standby with data refuses", lambda: old.failed == "prepare", 30)
        check("holds data" in old.said("prepare"), f"it said: {old.said('prepare')}")
        old.kill()
        new.kill()
        old.lose_volume()
        os.rmdir(old.claim)
        os.rename(saved, old.claim)

        promoted = render("postgresql.replicaCount=3", f"postgresql.primary={REPLICA}-0")
        names = [(PRIMARY, f"{PRIMARY}-0"), (REPLICA, f"{REPLICA}-0"), (REPLICA, f"{REPLICA}-1")]
        check(selected(promoted, PRIMARY, names) == [f"{REPLICA}-0"], "the Service selects the promoted pod")
        for pod, owner in ((old, PRIMARY), (new, REPLICA), (third, REPLICA)):
            pod.spec = find(promoted, "StatefulSet", owner)["spec"]["template"]["spec"]
        third.start()
        new.start()
        new.wait_ready()
        third.wait_ready()
        check(value(new, "select pg_is_in_recovery()") == "f", "the promoted pod is a primary")
        check(value(new, "select left(pg_walfile_name(pg_current_wal_lsn()), 8)", user="postgres") == "00000002", "it is on a timeline of its own")
        check(query(new, "insert into kept values (2)") is not None, "the promoted pod takes writes")
        eventually("the third follows the new primary", lambda: value(third, "select count(*) from kept") == "2", 30)
        old.start()
        eventually("the former primary refuses", lambda: old.failed == "prepare", 30)
        check("former primary" in old.said("prepare"), f"it said: {old.said('prepare')}")
        # Its claim deleted, it is a standby.
        old.kill()
        old.lose_volume()
        old.start()
        old.wait_ready()
        eventually("the former primary follows", lambda: value(old, "select count(*) from kept") == "2", 30)
        new.kill()
        new.start()
        new.wait_ready()
        check(value(new, "select count(*) from kept") == "2", "the promoted pod stays primary after a restart")
        check(value(new, "select pg_is_in_recovery()") == "f", "the promoted pod stays primary after a restart")
    finally:
        network.close()


TESTS = [(one, NEWER), (streaming, NEWER), (promotion, NEWER)]
# PostgreSQL 15, the oldest that the program works with.
MORE = [(one, "/"), (streaming, "/"), (promotion, "/")]
