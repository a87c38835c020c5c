"""How fast a read is that is answered from the cache, and how many calls the cache keeps from the platform.

    python -m tests.benchmarks.caching [--rounds 5] [--seconds 2] [--concurrency 32]

The gateway runs as `umail-gateway serve` with all policies on; the baseline is a bare Starlette route that returns the
same body, under the same server with the same settings; the protocol class that answers hits before there is a task
for them belongs to the gateway. They take turns in every round. Reads of one place in Valkey that come at the same
moment share a round trip. Load generator, server and Valkey share the machine's cores, so the ratios say more than the
figures, and the processor time most.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.benchmarks.exports import process
from tests.benchmarks.load import Figures, LoadGenerator, Target, get, once
from tests.benchmarks.servers import (
    ASK,
    PATH,
    calls_of,
    gateway,
    new_master_key,
    run_bare,
    run_platform,
    wait_for,
)
from tests.benchmarks.tables import machine, table
from tests.support.tenants import KEY
from tests.support.valkey import ValkeyServer

_BARE = "bare Starlette route"
_KEPT: dict[str, Any] = {"cache_lifetimes": '{"*": 3600}'}
_SLOW = 0.05
_HIT = b"umail-gateway; hit"


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey; yields its URL."""
    server = ValkeyServer()
    server.start()
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def competitors(lists: int) -> Iterator[Mapping[str, Target]]:
    """Run everything that is compared, its caches filled."""
    with ExitStack() as stack:
        platform, _ = stack.enter_context(process(run_platform, lists, 0.0))
        local, local_pid = stack.enter_context(gateway(platform, **_KEPT))
        url = stack.enter_context(valkey())
        shared, shared_pid = stack.enter_context(
            gateway(platform, **_KEPT, state_url=url, master_key=new_master_key(), cache_bytes=0)
        )
        filled = once(Target(local, ASK))
        once(Target(shared, ASK))
        bare, control = stack.enter_context(process(run_bare, filled.body))
        wait_for(Target(bare, ASK))
        etag = re.search(rb"\r\netag: (\S+)\r\n", filled.head)
        assert etag is not None
        unchanged = get(PATH, f"X-API-Key: {KEY}", f"If-None-Match: {etag[1].decode()}")
        yield {
            _BARE: Target(bare, ASK, pid=control.recv()),
            "hit in the process": Target(local, ASK, contains=_HIT, pid=local_pid),
            "304 from the process": Target(local, unchanged, status=304, contains=_HIT, pid=local_pid),
            "hit in Valkey": Target(shared, ASK, contains=_HIT, pid=shared_pid),
        }


def compare(load: LoadGenerator, options: argparse.Namespace) -> str:
    """Measure in turns; return a table."""
    rounds: dict[str, list[Figures]] = {}
    with competitors(options.lists) as targets:
        for target in targets.values():
            load.press(target, concurrency=options.concurrency, seconds=0.5)
        for _ in range(options.rounds):
            for name, target in targets.items():
                figures = load.press(target, concurrency=options.concurrency, seconds=options.seconds)
                rounds.setdefault(name, []).append(figures)
    return table(rounds, _BARE)


def cold(load: LoadGenerator, replicas: int, requests: int) -> tuple[int, float]:
    """Ask for the same for the first time, everything at once; return the platform's calls, and the seconds."""
    with ExitStack() as stack:
        platform, _ = stack.enter_context(process(run_platform, 10, _SLOW))
        state: dict[str, Any] = {"max_requests": requests, **_KEPT}
        if replicas > 1:
            state |= {"state_url": stack.enter_context(valkey()), "master_key": new_master_key()}
        ports = [stack.enter_context(gateway(platform, **state))[0] for _ in range(replicas)]
        seconds = load.burst([Target(ports[number % replicas], ASK) for number in range(requests)])
        return calls_of(platform), seconds


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--lists", type=int, default=10, help="how many the answer holds")
    parser.add_argument("--requests", type=int, default=1000, help="cold requests at once")
    options = parser.parse_args()
    load = LoadGenerator()
    print(f"{machine()}; {options.concurrency} connections, {options.rounds} rounds\n")
    print(compare(load, options))
    print(f"\n| {options.requests:,} cold requests at once | calls of the platform | seconds |\n| --- | ---: | ---: |")
    for replicas, name in ((1, "one process"), (2, "two replicas on one Valkey")):
        calls, seconds = cold(load, replicas, options.requests)
        print(f"| {name} | {calls} | {seconds:.2f} |")
    load.close()


if __name__ == "__main__":
    main()
