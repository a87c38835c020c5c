"""A load generator of raw sockets in a process of its own: open connections, one request at a time on each."""

import asyncio
import itertools
import math
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask, and what the answer must be: anything else ends the measurement.

    Args:
        port: of a server on loopback.
        request: the bytes of a request.
        status: of every answer.
        contains: what stands in the head of every answer; says that it came the way that is measured.
        pid: the id of the server's process, if its processor time is of interest.
        more: further requests, which take turns with the first.
    """

    port: int
    request: bytes
    status: int = 200
    contains: bytes = b""
    pid: int | None = None
    more: tuple[bytes, ...] = ()


class Figures(NamedTuple):
    """What a server did under a load; latencies in milliseconds.

    `processor` is the time in microseconds that the server's process used for a request: unlike the others, it hardly
    depends on who else wants the machine's cores.
    """

    per_second: float
    p50: float
    p99: float
    processor: float


class Exchange(NamedTuple):
    """An answer."""

    status: int
    head: bytes
    body: bytes


def get(path: str, *headers: str) -> bytes:
    """Write a request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*", *headers, "", ""]).encode()


class _Connection(asyncio.Protocol):
    """Sends a request, reads the answer by its length, and begins again until the time is over."""

    def __init__(self, target: Target, until: float, requests: Iterator[bytes], interval: float) -> None:
        self._target = target
        self._until = until
        self._requests = requests
        self._interval = interval
        self._received = b""
        self._sent = 0.0
        self.latencies: list[float] = []
        self.answer: Exchange | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = read_answer(self._received)
        if answer is None:
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self._received = b""
        self.answer = answer
        if answer.status != self._target.status or self._target.contains not in answer.head:
            self._finish(RuntimeError(repr(answer)))
        elif now >= self._until:
            self._finish(None)
        elif (pause := self._sent + self._interval - now) > 0:
            asyncio.get_running_loop().call_later(pause, self.ask)
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._finish(exc or ConnectionError("the server closed the connection"))

    def _finish(self, error: Exception | None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        self._transport.close()


def read_answer(received: bytes) -> Exchange | None:
    """Return an answer once it is whole; one without a length has no body."""
    head_end = received.find(_END)
    if head_end < 0:
        return None
    head = received[: head_end + 2]
    length = _LENGTH.search(head)
    body = received[head_end + len(_END) :]
    if len(body) < (int(length[1]) if length else 0):
        return None
    return Exchange(int(head[9:12]), head, body)


async def _connections(targets: list[Target], until: float, interval: float = 0.0) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    opened = []
    requests = {target: itertools.cycle((target.request, *target.more)) for target in targets}
    for target in targets:
        make = partial(_Connection, target, until, requests[target], interval)
        _, connection = await loop.create_connection(make, "127.0.0.1", target.port)
        opened.append(connection)
    return opened


async def _ask_all(connections: list[_Connection]) -> None:
    for connection in connections:
        connection.ask()
    await asyncio.gather(*(connection.done for connection in connections))


async def _press(target: Target, concurrency: int, seconds: float, interval: float) -> Figures:
    began = time.perf_counter()
    used = _processor_seconds(target.pid)
    connections = await _connections([target] * concurrency, began + seconds, interval)
    await _ask_all(connections)
    took, used = time.perf_counter() - began, _processor_seconds(target.pid) - used
    latencies = sorted(each for connection in connections for each in connection.latencies)
    p99 = latencies[math.ceil(len(latencies) * 0.99) - 1]
    processor = used / len(latencies) * 1e6
    return Figures(len(latencies) / took, statistics.median(latencies) * 1000, p99 * 1000, processor)


def _processor_seconds(pid: int | None) -> float:
    if pid is None:
        return 0.0
    # Where there are several workers, they are the children of the process that is known.
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return sum(map(_processor_seconds_of, [str(pid), *children]))


def _processor_seconds_of(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _burst(targets: list[Target]) -> float:
    connections = await _connections(targets, 0.0)
    began = time.perf_counter()
    await _ask_all(connections)
    return time.perf_counter() - began


async def _once(target: Target) -> Exchange:
    (connection,) = await _connections([target], 0.0)
    await _ask_all([connection])
    assert connection.answer is not None
    return connection.answer


def once(target: Target) -> Exchange:
    """Ask once, in this process.

    Raises:
        RuntimeError: the answer is not what the target says.
        OSError: there is none.
    """
    return uvloop.run(_once(target))


def press_here(target: Target, concurrency: int, seconds: float, interval: float) -> Figures:
    """Ask for some seconds over so many connections, in this process."""
    return uvloop.run(_press(target, concurrency, seconds, interval))


def burst_here(targets: list[Target]) -> float:
    """Ask everything at once, a connection for each; return the seconds until the last answer."""
    return uvloop.run(_burst(targets))


class LoadGenerator:
    """Runs loads in a process of its own."""

    def __init__(self) -> None:
        self._process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def press(self, target: Target, *, concurrency: int, seconds: float, interval: float = 0.0) -> Figures:
        """Ask for some seconds over so many connections, on each no oftener than once in so many seconds."""
        return self._process.submit(press_here, target, concurrency, seconds, interval).result()

    def burst(self, targets: list[Target]) -> float:
        """Ask everything at once, a connection for each; return the seconds until the last answer."""
        return self._process.submit(burst_here, targets).result()

    def close(self) -> None:
        """End the process."""
        self._process.shutdown()
