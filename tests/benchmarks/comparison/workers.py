"""Two workers against one, where the machine has the cores for that.

What is asked for is a list, which takes a worker so much longer than it takes the platform and the load generator that
two cores are enough to tell two workers from one.
"""

import os
import statistics
from typing import Any

from tests.benchmarks.caching import valkey
from tests.benchmarks.comparison.cases import FRESH, LISTED
from tests.benchmarks.load import LoadGenerator, Target, get
from tests.benchmarks.servers import gateway, new_master_key, wait_for
from tests.support.tenants import KEY

_CORES = 2
_ROUNDS = 5


def measure_workers(load: LoadGenerator, platform: int, concurrency: int, seconds: float) -> str:
    """Return what two workers do for what one does; says so if that was not measured.

    Args:
        load: asks.
        platform: the platform's port.
        concurrency: how many requests are under way at once.
        seconds: for how long, each of them in every round.
    """
    cores = len(os.sched_getaffinity(0))
    if cores < _CORES:
        return f"not measured, for there are {cores} cores and not {_CORES}"
    asked = get(LISTED.path, f"X-API-Key: {KEY}", FRESH)
    with valkey() as url:
        shared: dict[str, Any] = {"state_url": url, "master_key": new_master_key()}
        with gateway(platform, **shared) as one, gateway(platform, workers=2, **shared) as two:
            targets = [Target(port, asked, pid=pid) for port, pid in (one, two)]
            for target in targets:
                wait_for(target)
            rounds = [
                [load.press(target, concurrency=concurrency, seconds=seconds) for target in targets]
                for _ in range(_ROUNDS)
            ]
    first, second = (statistics.median(each.per_second for each in column) for column in zip(*rounds, strict=True))
    used = [min(each.processor for each in column) for column in zip(*rounds, strict=True)]
    return (
        f"{second:,.0f} against {first:,.0f} requests/s, {second / first:.2f} times; "
        f"{used[1]:.0f} against {used[0]:.0f} µs of processor a request"
    )
