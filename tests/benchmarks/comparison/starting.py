"""How soon a gateway is ready, and what memory it takes before it has been asked for anything else."""

import statistics
import time
from pathlib import Path

from tests.benchmarks.load import Target, get
from tests.benchmarks.servers import gateway, wait_for

_TIMES = 5


def memory_of(pid: int) -> float:
    """Return the MiB that a process has in memory."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096 / 2**20


def measure_starting(platform: int) -> str:
    """Start gateways in front of a platform's port, one after the other."""
    seconds, memory = [], []
    # The first one compiles what has been changed.
    for _ in range(_TIMES + 1):
        began = time.perf_counter()
        with gateway(platform) as (port, pid):
            wait_for(Target(port, get("/readyz")))
            seconds.append(time.perf_counter() - began)
            memory.append(memory_of(pid))
    return f"{statistics.median(seconds[1:]):.2f} s, {statistics.median(memory[1:]):.1f} MiB then"
