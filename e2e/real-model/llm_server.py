"""A real language model behind llama.cpp's own HTTP server, from PyPI wheels: no compiler, no network, no GPU.

Usage: python llm_server.py MODEL.gguf PORT [CHAT_TEMPLATE.jinja]

Speaks OpenAI's and Anthropic's APIs on 127.0.0.1 and ends on SIGTERM. Prints one line once it listens.
"""

import signal
import sys

import xllamacpp


def main() -> None:
    model, port = sys.argv[1], int(sys.argv[2])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 8192
    params.n_parallel = 2
    params.cpuparams.n_threads = 2
    params.cpuparams_batch.n_threads = 2
    # A model this small does not always stop by itself; 100 tokens take it two seconds and are enough here.
    params.n_predict = 100
    params.sampling.temp = 0.3
    params.use_jinja = True
    params.ui = False
    params.offline = True
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="utf-8") as template:
            params.chat_template = template.read()
    # The signals are blocked before the server makes its threads, or one of those would be killed by them.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    signal.sigwait(ends)


if __name__ == "__main__":
    main()
