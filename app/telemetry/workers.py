"""Metrics of several worker processes: each counts in its own files; a scrape adds them up."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from prometheus_client import Metric, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""By which prometheus-client, when it is imported, knows that it is to count in files."""
_LOCK = "worker_{}.lock"


@contextmanager
def counting_in_files() -> Iterator[None]:
    """Have the processes that are started inside count in files, in a folder that lasts as long.

    The process itself goes on counting in its memory. The folder is where temporary files are. Windows has no locks of
    the kind that is needed: there each process counts for itself.
    """
    if find_spec("fcntl") is None:
        yield
        return
    folder = tempfile.mkdtemp(prefix="umail-gateway-metrics-")
    os.environ[_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def join_workers() -> "Workers | None":
    """Return the workers, this process among them from now on; None where it counts in its memory."""
    folder = os.environ.get(_VARIABLE)
    return Workers(Path(folder)) if folder else None


class Workers(Collector):
    """The processes that count in one folder, this one among them.

    Each holds a lock for as long as it lives. The kernel frees it however a process ends, so that nobody has to be
    told of a worker's death, and a number that is given to another process deceives nobody.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        pid = os.getpid()
        import fcntl  # noqa: PLC0415 - Windows has none

        # Never closed: the process holds it as long as it lives.
        lock = os.open(folder / _LOCK.format(pid), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Left by a worker that had the same number.
        self._forget_gauges(pid)

    def living(self) -> list[int]:
        """Return the processes that live; gauges of those that do not are gone afterwards, what they counted stays."""
        found = []
        for path in self._folder.glob(_LOCK.format("*")):
            pid = int(path.stem.removeprefix("worker_"))
            with path.open("a") as lock:
                if _is_free(lock):
                    self._forget_gauges(pid)
                else:
                    found.append(pid)
        return found

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that nothing is collected to find out what there is."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return what all of them have counted."""
        self.living()
        # A file is empty for a moment before its worker has written its head.
        files = [str(path) for path in self._folder.glob("*.db") if _size(path)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged

    def _forget_gauges(self, pid: int) -> None:
        for path in self._folder.glob(f"gauge_live*_{pid}.db"):
            path.unlink(missing_ok=True)

    @contextmanager
    def shared_list(self, name: str) -> Iterator[IO[str]]:
        """Open a file that one worker at a time reads and appends to."""
        import fcntl  # noqa: PLC0415 - Windows has none

        with (self._folder / name).open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def _is_free(lock: IO[str]) -> bool:
    import fcntl  # noqa: PLC0415 - Windows has none

    try:
        # Shared, so that two who look at the same moment do not take each other for its holder.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


_LEAST = frozenset({"process_start_time_seconds", "process_max_fds"})
"""Of these the least is told; all others are added up."""


class Processes(Collector):
    """The standard metrics of processes, of several as if they were one."""

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
