"""Where processor time goes, by purpose: shares.py NAME=FOLDED… > shares.md

Reads stacks as `inferno-collapse-perf` folds them. A sample belongs to the first purpose of its program's list that names
one of its functions, so the shares of a program add up to 100%; what no purpose names is the last row.
"""

import sys

# Purpose, and parts of the names of functions that serve it.
OURS = [
    ("writing to sockets, with the way through the kernel to the other side", ["writev", "__libc_send", "__libc_write"]),
    ("reading from sockets", ["__libc_recv", "readv"]),
    ("parking and waking threads", ["park_internal", "futex", "epoll_wait", "Parker", "IdleState"]),
    ("appending: entries sealed, parameters, answers", ["Appender::start"]),
    ("PostgreSQL's protocol", ["tokio_postgres"]),
    ("creating tasks", ["create_task", "Batcher", "postgres::create"]),
    ("bodies of requests to models", ["request::body"]),
    ("their digests", ["sha256", "Digest"]),
    ("reading models' events", ["sse::Parser", "Reading::take"]),
    ("heads of requests and answers", ["request_head", "headers_for", "HeaderMap", "HdrName", "take_head", "httparse"]),
    ("the engine: what follows from a journal", ["engine::"]),
    ("claiming and opening", ["Driver::open", "claim"]),
    ("timers", ["time::driver", "time::entry", "TimerEntry", "time::sleep"]),
    ("waiting for news", ["WaitForCancellation", "drop_notified", "poll_notified"]),
    ("allocating and freeing, elsewhere", ["mi_free", "mi_theap", "_mi_", "mi_malloc"]),
    ("tool calls, what is left", ["tools::"]),
    ("model calls, what is left", ["agenticai_agent"]),
    ("drivers, what is left", ["Driver::", "agenticai_worker"]),
    ("logging in", ["login", "principal", "authenticate", "blake", "hmac"]),
    ("JSON of requests and answers", ["serde_json", "serde_core"]),
    ("handlers and layers", ["agenticai_server", "axum", "tower"]),
    ("the HTTP server's connections", ["hyper::"]),
]
POSTGRES = [
    ("flushing the log", ["XLogFlush", "fdatasync", "fsync"]),
    ("writing pages and the log", ["pwrite", "FileWrite"]),
    ("reading parameters", ["array_recv", "ReceiveFunctionCall", "exec_bind"]),
    ("entries into indexes, with the look for conflicts", ["ExecInsertIndexTuples", "ExecCheckIndexConstraints"]),
    ("rows into tables", ["heap_insert", "heap_update", "heap_delete", "heap_lock_tuple"]),
    ("looking rows up by index", ["index_getnext", "index_getbitmap", "btgettuple", "btgetbitmap"]),
    ("setting statements up and clearing them away", ["standard_ExecutorStart", "standard_ExecutorEnd", "ExecInitNode"]),
    ("planning and parsing", ["GetCachedPlan", "parse_analyze", "pg_plan", "raw_parser"]),
    ("executing statements, otherwise", ["ExecutorRun", "plpgsql", "SPI_execute"]),
    ("beginning and ending transactions, otherwise", ["TransactionCommand", "AtEOXact"]),
    ("sockets and waiting", ["secure_read", "secure_write", "epoll_wait", "WaitEventSetWait", "__libc_send", "__libc_recv"]),
]


def shares(path, purposes):
    counts, total = {}, 0
    with open(path, encoding="utf-8") as folded:
        for line in folded:
            stack, samples = line.rsplit(" ", 1)
            purpose = next((name for name, parts in purposes if any(part in stack for part in parts)), "everything else")
            counts[purpose] = counts.get(purpose, 0) + int(samples)
            total += int(samples)
    if not total:
        sys.exit(f"{path} holds no samples")
    rest = counts.pop("everything else", 0)
    rows = sorted(counts.items(), key=lambda item: -item[1]) + [("everything else", rest)]
    return [(name, 100 * count / total) for name, count in rows]


for argument in sys.argv[1:]:
    name, _, path = argument.partition("=")
    print(f"\n| {name} | % |\n| --- | --- |")
    for purpose, share in shares(path, POSTGRES if "PostgreSQL" in name else OURS):
        if share >= 0.5 or purpose == "everything else":
            print(f"| {purpose} | {share:.1f} |")
