"""Figures of several rounds as Markdown."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence

from tests.benchmarks.load import Figures

Rounds = Mapping[str, Sequence[Figures]]
"""What was measured, by its name; the figures of one round stand at the same place of each."""


def machine() -> str:
    """Return a line that tells what was measured on."""
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def table(rounds: Rounds, baseline: str) -> str:
    """Write medians over the rounds, and the median of each round's ratio to the baseline in the same round."""
    lines = [
        f"| | requests/s | of {baseline} | p50 ms | p99 ms | processor µs a request |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, figures in rounds.items():
        per_second, p50, p99, processor = (statistics.median(column) for column in zip(*figures, strict=True))
        pairs = zip(figures, rounds[baseline], strict=True)
        ratio = statistics.median(ours.per_second / theirs.per_second for ours, theirs in pairs)
        lines.append(f"| {name} | {per_second:,.0f} | {ratio:.0%} | {p50:.2f} | {p99:.2f} | {processor:,.0f} |")
    return "\n".join(lines)
