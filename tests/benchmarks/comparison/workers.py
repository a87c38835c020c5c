"""Two workers against one, where the machine has the cores for that.

The platform takes its time and uses no processor in it, so that workers, Valkey and load generator have the cores to
themselves. On fewer than four of them the workers share theirs with the others, and only their processor time a request
tells something: as long as that does not grow, two workers are bounded by the cores alone.
"""

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.benchmarks.caching import valkey
from tests.benchmarks.exports import process
from tests.benchmarks.load import Figures, LoadGenerator, Target, get
from tests.benchmarks.servers import PATH, gateway, new_master_key, run_platform, wait_for
from tests.support.tenants import KEY

CORES = 4
"""Without so many of them nothing is measured unless it is asked for."""

_DELAY = 0.02
_CONNECTIONS = 128
_ROUNDS = 5


def measure_workers(load: LoadGenerator, seconds: float, *, anyway: bool) -> str:
    """Return what two workers do for what one does; says so if that was not measured.

    Args:
        load: asks.
        seconds: for how long, each of them in every round.
        anyway: whether to measure on too few cores as well.
    """
    cores = len(os.sched_getaffinity(0))
    if cores < CORES and not anyway:
        return f"not measured, for there are {cores} cores and not {CORES}; --workers does it anyway"
    with _gateways() as (one, two):
        alone, both = [], []
        for _ in range(_ROUNDS):
            alone.append(_press(load, one, seconds))
            both.append(_press(load, two, seconds))
    first, second = (statistics.median(each.per_second for each in rounds) for rounds in (alone, both))
    used = [min(each.processor for each in rounds) for rounds in (alone, both)]
    return (
        f"{second:,.0f} against {first:,.0f} requests/s: {second / first:.2f} times; "
        f"{used[1]:.0f} against {used[0]:.0f} µs of processor a request, on {cores} cores"
    )


@contextmanager
def _gateways() -> Iterator[tuple[Target, Target]]:
    asked = get(PATH, f"X-API-Key: {KEY}", "Cache-Control: no-store")
    with ExitStack() as stack:
        url = stack.enter_context(valkey())
        shared: dict[str, Any] = {
            "state_url": url,
            "master_key": new_master_key(),
            "upstream_connections": _CONNECTIONS,
        }
        platform, _ = stack.enter_context(process(run_platform, 1, _DELAY))
        (one, pid), (two, parent) = (
            stack.enter_context(gateway(platform, workers=workers, **shared)) for workers in (1, 2)
        )
        targets = Target(one, asked, pid=pid), Target(two, asked, pid=parent)
        for target in targets:
            wait_for(target)
        yield targets


def _press(load: LoadGenerator, target: Target, seconds: float) -> Figures:
    return load.press(target, concurrency=_CONNECTIONS, seconds=seconds)
