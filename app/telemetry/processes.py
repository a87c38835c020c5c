"""What the operating system says of the processes: processor time, memory, open files."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import Metric, ProcessCollector
from prometheus_client.registry import Collector

_LEAST = frozenset({"process_start_time_seconds", "process_max_fds"})
"""Of these the least is told; all others are added up."""


class Processes(Collector):
    """The standard metrics of processes, of several as if they were one.

    Args:
        living: returns the processes' numbers.
    """

    def __init__(self, living: Callable[[], Sequence[int]]) -> None:
        self._living = living

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that nothing is collected to find out what there is."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; none where there is no /proc."""
        found: dict[str, list[Metric]] = {}
        for pid in self._living():
            for metric in _of(pid):
                found.setdefault(metric.name, []).append(metric)
        for metrics in found.values():
            yield _merged(metrics)


def _of(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


def _merged(metrics: list[Metric]) -> Metric:
    first = metrics[0]
    merged = Metric(first.name, first.documentation, first.type)
    sample = first.samples[0]
    values = [each.samples[0].value for each in metrics]
    merged.add_sample(sample.name, {}, min(values) if sample.name in _LEAST else sum(values))
    return merged
