"""How fast exports are, and what they cost, over real sockets on loopback.

    python -m tests.benchmarks.exports --records 1000 10000 100000

Per size: the gateway in each form, the naive way (read all, xmltodict, json.dumps) and parsers without any server that
make a dictionary of each record of the same bytes. MB are of the platform's XML. Platform, gateway and client share the
machine's cores, so the ratios within a run say more than the figures.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import socket
import statistics
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks import gateways, platform
from tests.support.tenants import KEY

_MARK = b"@example.com"
_FORMS = {"JSON": ("application/json", "identity"), "NDJSON": ("application/x-ndjson", "identity")}
_FORMS |= {"CSV": ("text/csv", "identity"), "JSON, gzip": ("application/json", "gzip")}


@dataclass
class Result:
    """One download or one parsing."""

    name: str
    seconds: float
    first_byte: float | None = None
    peak_mib: float | None = None
    stall_ms: float | None = None
    busy_ms: float | None = None


@contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[int, Connection]]:
    """Run a server; yields its port and what it sends."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    running = context.Process(target=target, args=(there, *arguments), daemon=True)
    running.start()
    try:
        yield here.recv(), here
    finally:
        running.terminate()
        running.join()


def download(port: int, path: str, accept: str = "*/*", coding: str = "identity") -> tuple[float, float, int]:
    """Return when the body began, how long all took, and how many addresses it held."""
    request = [f"GET {path} HTTP/1.1", "Host: gateway", "Connection: close", f"X-API-Key: {KEY}"]
    request += [f"Accept: {accept}", f"Accept-Encoding: {coding}", "", ""]
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall("\r\n".join(request).encode())
        received = connection.recv(65_536)
        while not received.partition(b"\r\n\r\n")[2]:
            received += connection.recv(65_536)
        began = time.monotonic()
        if not received.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(received.decode())
        found, end = 0, b""
        chunked = b"chunked" in received.partition(b"\r\n\r\n")[0].lower()
        while received:
            # An address may be cut in two.
            joined = end + received
            found += joined.count(_MARK)
            end = joined[-len(_MARK) + 1 :]
            received = connection.recv(1 << 18)
    if chunked and not end.endswith(b"0\r\n\r\n"):
        raise RuntimeError("the answer was cut off")
    return began, time.monotonic() - started, found


def measured(port: int) -> dict[str, float]:
    """Ask a server for its memory and stalls."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{gateways.MEASURED}") as answer:
        found: dict[str, float] = json.load(answer)
    return found


def through(target: Callable[..., None], name: str, base_url: str, upstream: Connection, arguments: Any) -> Result:
    """Download once through a fresh server, warmed up by a small export."""
    records, accept, coding = arguments
    with process(target, base_url) as (port, _):
        _wait(port)
        path = "/v1/delivery-failures?statistics_id="
        download(port, f"{path}500", accept, coding)
        upstream.recv()
        measured(port)
        seconds, first_bytes = [], []
        for _ in range(repetitions(records)):
            began, taken, found = download(port, f"{path}{records}", accept, coding)
            if coding == "identity" and found != records:
                raise RuntimeError(f"{name}: {found} of {records} records")
            seconds.append(taken)
            first_bytes.append(began - upstream.recv())
        costs = measured(port)
        first_byte = statistics.median(first_bytes)
        return Result(name, statistics.median(seconds), first_byte, **costs)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            measured(port)
        except OSError:
            time.sleep(0.05)
        else:
            return


def expat(chunks: Iterable[bytes]) -> int:
    """Read records with the standard library's pull parser over expat."""
    parser: Any = ET.XMLPullParser(("start", "end"))
    found = 0
    root: ET.Element | None = None
    for chunk in chunks:
        parser.feed(chunk)
        for event, element in parser.read_events():
            if event == "start":
                root = element if root is None else root
            elif root is not None and element.tag == "recipient":
                _ = {child.tag: child.text for child in element}
                found += 1
                root.clear()
    return found


def lxml(chunks: Iterable[bytes]) -> int:
    """Read records with lxml, which gives the ends of records only."""
    etree = importlib.import_module("lxml.etree")
    parser = etree.XMLPullParser(("end",), tag="recipient", resolve_entities=False)
    found = 0
    for chunk in chunks:
        parser.feed(chunk)
        for _, element in parser.read_events():
            _ = {child.tag: child.text for child in element}
            found += 1
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    return found


# lxml is needed for nothing but this comparison, and may be missing.
PARSERS = {"raw expat": expat, **({"raw lxml": lxml} if importlib.util.find_spec("lxml") else {})}


def parse(name: str, records: int) -> Result:
    """Make a dictionary of every record of the same bytes, which are in memory."""
    chunks = list(platform.document(records))

    def once() -> float:
        started = time.perf_counter()
        if PARSERS[name](chunks) != records:
            raise RuntimeError(f"{name} did not find every record")
        return time.perf_counter() - started

    return Result(name, statistics.median(once() for _ in range(repetitions(records))))


def repetitions(records: int) -> int:
    """Return how often something is measured; the median counts."""
    return max(1, min(21, 100_000 // records))


def measure(records: int, options: argparse.Namespace, base_url: str, upstream: Connection) -> list[Result]:
    """Measure everything for one size."""
    results = []
    if records <= options.parsers_up_to:
        results += [parse(name, records) for name in PARSERS]
    if records <= options.naive_up_to:
        results.append(through(gateways.run_naive, "naive", base_url, upstream, (records, "*/*", "identity")))
    for name in options.forms:
        arguments = (records, *_FORMS[name])
        results.append(through(gateways.run_gateway, f"gateway, {name}", base_url, upstream, arguments))
    return results


def show(records: int, results: list[Result]) -> None:
    """Print one size's table."""
    megabytes = sum(map(len, platform.document(records))) / 1e6
    print(f"\n{records:,} records, {megabytes:,.1f} MB of XML")
    print(f"{'':24}{'s':>9}{'MB/s':>9}{'records/s':>12}{'first byte':>12}{'peak':>10}{'stall':>9}{'busy':>9}")
    for each in results:
        line = f"{each.name:24}{each.seconds:9.3f}{megabytes / each.seconds:9.1f}{records / each.seconds:12,.0f}"
        if each.first_byte is not None:
            line += (
                f"{each.first_byte * 1000:9.1f} ms{each.peak_mib:6.0f} MiB{each.stall_ms:6.1f} ms{each.busy_ms:6.1f} ms"
            )
        print(line)
    speed = {each.name: megabytes / each.seconds for each in results}
    ours = speed.get("gateway, JSON")
    if ours:
        others = [f"{ours / value:.2f} x {name}" for name, value in speed.items() if not name.startswith("gateway")]
        print(f"gateway, JSON: {', '.join(others)}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--forms", nargs="+", choices=_FORMS, default=list(_FORMS))
    parser.add_argument("--naive-up-to", type=int, default=1_000_000, help="it needs some 2 KB a record")
    parser.add_argument("--parsers-up-to", type=int, default=1_000_000, help="they get the bytes from memory")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with process(platform.run) as (port, upstream):
        base_url = f"http://127.0.0.1:{port}/mm-ms/apinew/"
        for records in options.records:
            show(records, measure(records, options, base_url, upstream))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
