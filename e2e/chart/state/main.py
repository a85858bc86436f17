"""Runs the tests of one kind of server, one after the other, and says what each proved."""

import os
import sys
import time
import traceback

import postgresql
import rabbitmq
import redis
from pods import Failed

SUITES = {"postgresql": postgresql, "redis": redis, "rabbitmq": rabbitmq}


def main(suite, more):
    failed = 0
    for test, tree in SUITES[suite].TESTS + (SUITES[suite].MORE if more else []):
        began = time.monotonic()
        name = f"{suite}: {test.__doc__.splitlines()[0]} ({'this system' if tree == '/' else 'next release'})"
        log = os.path.join(os.environ["LOGS"], f"{suite}-{test.__name__}-{'this' if tree == '/' else 'next'}")
        os.makedirs(log)
        try:
            test(tree, log)
            print(f"ok   {time.monotonic() - began:5.1f} s  {name}", flush=True)
        except Failed as why:
            failed += 1
            print(f"FAIL {time.monotonic() - began:5.1f} s  {name}\n     {why}", flush=True)
        except Exception:  # pylint: disable=broad-except # the other tests go on
            failed += 1
            print(f"FAIL {time.monotonic() - began:5.1f} s  {name}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--all" in sys.argv[2:]))
