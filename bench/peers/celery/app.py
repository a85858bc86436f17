"""The same work as `agenticai` does in bench/, with FastAPI and Celery on RabbitMQ, results in PostgreSQL.

One Celery task per agent run, as Celery has no durable steps: with acks_late a crash runs the whole run again.
CELERY_GEVENT=1 says that the workers use the gevent pool; BENCH_PG is user@host:port/database.
"""
import json
import os

import psycopg
import urllib3
from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel

PG = os.environ["BENCH_PG"]
STUB = os.environ["BENCH_STUB"]

queue = Celery("bench", broker=os.environ["BENCH_AMQP"], backend=f"db+postgresql+psycopg://{PG}")
queue.conf.update(
    # At least once; the defaults may lose tasks.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_transport_options={"confirm_publish": True},
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
if os.environ.get("CELERY_GEVENT") == "1":
    # By default each greenlet gets a backend of its own, which connects anew and checks the schema for every result
    # (a twentieth of the speed). They share one with a pool of connections instead.
    queue.conf.result_backend_thread_safe = True
    queue.conf.database_engine_options = {"pool_size": 20, "max_overflow": 10}
    queue.backend.session_manager.forked = True

http = urllib3.PoolManager(maxsize=128, block=False, retries=False)


def call(method: str, path: str, tag: str, body=None):
    res = http.request(method, STUB + path, json=body, headers={"x-run-tag": tag}, timeout=60)
    if res.status != 200:
        raise RuntimeError(f"{path}: {res.status}")
    return res.json()


@queue.task
def noop(tag: str):
    return {"tag": tag, "ok": True}


@queue.task
def agent(tag: str):
    messages = [{"role": "user", "content": "Look things up."}]
    while True:
        answer = call("POST", "/v1/chat/completions", tag, {"model": "stub", "messages": messages})
        message = answer["choices"][0]["message"]
        messages.append(message)
        if not message.get("tool_calls"):
            return {"text": message["content"]}
        for tool in message["tool_calls"]:
            q = json.loads(tool["function"]["arguments"])["q"]
            result = call("GET", f"/tool/lookup?q={q}", tag)
            messages.append({"role": "tool", "tool_call_id": tool["id"], "content": json.dumps(result)})


class Submit(BaseModel):
    tag: str


api = FastAPI()


@api.post("/submit/{kind}", status_code=202)
def submit(kind: str, req: Submit):
    task = {"noop": noop, "agent": agent}[kind]
    return {"id": task.apply_async(args=[req.tag], task_id=req.tag).id}


@api.get("/count")
def count(prefix: str):
    with psycopg.connect(f"postgresql://{PG}") as db:
        row = db.execute(
            "SELECT count(*) FROM celery_taskmeta WHERE task_id > %s AND task_id < %s AND status = 'SUCCESS'",
            (prefix + "-", prefix + "."),
        ).fetchone()
    return {"done": row[0]}
