"""The gateway, with all its policies on, beside what it is measured by.

    python -m tests.benchmarks.comparison [--rounds 3] [--seconds 2] [--concurrency 32] [--plot build/comparison.svg]

Beside it in front of the same platform: the same written in an afternoon with FastAPI, httpx and xmltodict; the same in
Node; and the platform itself. All are asked in turns in every round, in one process each. Load generator and servers
share the machine's cores.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.comparison.cases import CREATE, READS, creating, mixed, reading
from tests.benchmarks.comparison.plot import plot
from tests.benchmarks.comparison.servers import DIRECT, GATEWAY, Server, contestants
from tests.benchmarks.comparison.starting import measure_starting, memory_of
from tests.benchmarks.comparison.workers import measure_workers
from tests.benchmarks.load import Figures, LoadGenerator, Target
from tests.benchmarks.tables import Rounds, machine, table

_PACED = 0.5
_CREATING_SECONDS = 0.5


def measure(load: LoadGenerator, targets: Mapping[str, Target], options: argparse.Namespace) -> Rounds:
    """Ask everybody in turns."""
    rounds: dict[str, list[Figures]] = {name: [] for name in targets}
    for target in targets.values():
        load.press(target, concurrency=options.concurrency, seconds=0.5)
    for _ in range(options.rounds):
        for name, target in targets.items():
            figures = load.press(target, concurrency=options.concurrency, seconds=options.seconds)
            rounds[name].append(figures)
    return rounds


def measure_creating(load: LoadGenerator, servers: Mapping[str, Server]) -> Rounds:
    """Create campaigns one after the other; a tenant of the gateway has only so many an hour."""
    targets = creating(servers, 0)
    return {name: [load.press(target, concurrency=1, seconds=_CREATING_SECONDS)] for name, target in targets.items()}


def under_half_load(load: LoadGenerator, target: Target, most: float, concurrency: int, seconds: float) -> str:
    """Ask half as often as is possible; return what it says of the slowest."""
    figures = load.press(target, concurrency=concurrency, seconds=seconds, interval=concurrency / (most * _PACED))
    return f"{figures.p50:.2f} ms p50, {figures.p99:.2f} ms p99: {figures.p99 / figures.p50:.1f} times"


def added(load: LoadGenerator, targets: Mapping[str, Target], seconds: float) -> float:
    """Return the milliseconds that the gateway adds to one call at a time."""
    ours, theirs = (
        statistics.median(load.press(targets[name], concurrency=1, seconds=seconds / 2).p50 for _ in range(3))
        for name in (GATEWAY, DIRECT)
    )
    return ours - theirs


def grown(load: LoadGenerator, server: Server, requests: int, concurrency: int) -> str:
    """Ask many different things; return how the memory has changed."""
    target, done = mixed(server), 0.0
    idle, settled = memory_of(server.pid), 0.0
    began = time.monotonic()
    while done < requests and time.monotonic() - began < requests / 200:
        done += load.press(target, concurrency=concurrency, seconds=2.0).per_second * 2.0
        settled = settled or memory_of(server.pid)
    return (
        f"{idle:.0f} MiB before, {settled:.0f} MiB in the beginning, {memory_of(server.pid):.0f} MiB after {done:,.0f}"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--requests", type=int, default=100_000, help="mixed requests, for the growth of memory")
    parser.add_argument("--plot", type=Path, default=Path("build/comparison.svg"))
    options = parser.parse_args()
    load = LoadGenerator()
    print(f"{machine()}; {options.concurrency} connections, {options.rounds} rounds")
    with contestants() as (platform, servers):
        print(f"platform: {platform}")
        found: dict[str, Rounds] = {}
        for case, read in READS.items():
            found[case] = measure(load, reading(read, servers), options)
            print(f"\n{case}, kept nowhere\n\n{table(found[case], GATEWAY)}", flush=True)
        found[CREATE] = measure_creating(load, servers)
        print(f"\n{CREATE}, one at a time\n\n{table(found[CREATE], GATEWAY)}\n", flush=True)
        account = reading(READS["account"], servers)
        most = statistics.median(each.per_second for each in found["account"][GATEWAY])
        paced = under_half_load(load, account[GATEWAY], most, options.concurrency, options.seconds)
        print(f"account under half load: {paced}")
        print(f"account, added to a call at a time: {added(load, account, options.seconds):.2f} ms p50")
        growth = grown(load, servers[GATEWAY], options.requests, options.concurrency)
        print(f"memory of the gateway: {growth} mixed requests")
        workers = measure_workers(load, servers[DIRECT].port, options.concurrency, options.seconds)
        print(f"two workers for one, 30 campaigns: {workers}")
        print(f"ready after {measure_starting(servers[DIRECT].port)}")
    load.close()
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    options.plot.write_text(plot(found), encoding="utf-8")
    print(f"\n{options.plot}")


if __name__ == "__main__":
    main()
