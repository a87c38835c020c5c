"""Imports end to end over loopback: client, gateway and platform in a process each, against the naive way.

    python -m tests.benchmarks.imports [--records 1000 10000 …] [--forms ndjson csv json]

For every form and number of rows a fresh server is measured: time from the first byte sent to the answer, its peak
resident memory, and the longest time for which its event loop did nothing else. The naive server reads the whole body,
parses it, checks every row with the same pydantic model and uploads the result with a stock client.
"""

import argparse
import asyncio
import csv
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.api.contact_rows import ContactRow, write_line
from app.telemetry.logs import configure_logging
from tests.benchmarks.gateways import MEASURED, Measuring
from tests.support.running import make_app
from tests.support.tenants import KEY, make_tenant

PATH = "/v1/lists/78/imports"
MEDIA_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv", "json": "application/json"}
ROWS = (1_000, 10_000, 100_000, 1_000_000)
ANSWER = b"<result><status>success</status><data>10</data></result>"


class Figures(NamedTuple):
    """What a server took for a body."""

    seconds: float
    peak: float
    grown: float
    stall: float


class Naive:
    """An importer as one would write it in an afternoon."""

    def __init__(self, platform: str) -> None:
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        response = await self._import(Request(scope, receive))
        await response(scope, receive, send)

    async def _import(self, request: Request) -> Response:
        body = await request.body()
        contacts = [ContactRow.model_validate(row) for row in _rows(request.headers["content-type"], body)]
        duplicates = len(contacts) - len({contact.email.lower() for contact in contacts})
        content = "\n".join(map(write_line, contacts))
        async with httpx2.AsyncClient(timeout=600) as client:
            await client.post(self._platform, files={"file": ("contacts.txt", content.encode(), "text/plain")})
        return JSONResponse({"accepted": len(contacts), "duplicates": duplicates}, status_code=202)


def _rows(media_type: str, body: bytes) -> list[Any]:
    if media_type == MEDIA_TYPES["json"]:
        rows: list[Any] = json.loads(body)["contacts"]
        return rows
    if media_type == MEDIA_TYPES["ndjson"]:
        return [json.loads(line) for line in body.splitlines()]
    found = []
    for row in csv.DictReader(io.StringIO(body.decode(), newline="")):
        variables = {name: row.pop(name) for name in ("var1", "var2")}
        found.append({**row, "variables": variables})
    return found


def contact(number: int) -> dict[str, Any]:
    """Return a row of ordinary size: eight columns, some in Chinese."""
    return {
        "email": f"user.{number}@example.com",
        "name": f"李娜{number}",
        "sex": "female" if number % 2 else "male",
        "birthday": f"19{number % 100:02}-{number % 12 + 1:02}-{number % 28 + 1:02}",
        "phone": f"0755{number:08}",
        "area": "北京市丰台区",
        "variables": {"var1": "gold", "var2": str(number)},
    }


def write_body(form: str, rows: int, path: Path) -> None:
    """Write a body of so many rows to a file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            writer = csv.writer(file)
            writer.writerow(["email", "name", "sex", "birthday", "phone", "area", "var1", "var2"])
            for row in map(contact, range(rows)):
                variables = row.pop("variables")
                writer.writerow([*row.values(), *variables.values()])
            return
        lines = (json.dumps(contact(number), ensure_ascii=False) for number in range(rows))
        file.write('{"contacts": [' if form == "json" else "")
        separator = ",\n" if form == "json" else "\n"
        for number, line in enumerate(lines):
            file.write(f"{separator if number else ''}{line}")
        file.write("]}" if form == "json" else "\n")


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a platform that takes any upload."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            match = re.search(rb"content-length: (\d+)", head.lower())
            left = int(match[1]) if match else 0
            while left:
                left -= len(await reader.read(min(left, 1024 * 1024)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
            await writer.drain()
    writer.close()


async def serve(kind: str, platform: str) -> None:
    """Run one of the servers until it is ended; its port is printed."""
    if kind == "platform":
        server = await asyncio.start_server(swallow, "127.0.0.1", 0, limit=1024 * 1024)
        _say(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()
    configure_logging("WARNING", io.StringIO())
    app = Naive(platform) if kind == "naive" else make_app([make_tenant(base_url=platform)])
    config = uvicorn.Config(Measuring(app), port=0, log_config=None, access_log=False, lifespan="off")
    config.load()
    running = uvicorn.Server(config)
    running.lifespan = config.lifespan_class(config)
    await running.startup()
    _say(str(running.servers[0].sockets[0].getsockname()[1]))
    await running.main_loop()


@contextmanager
def started(kind: str, platform: str = "") -> Iterator[int]:
    """Run a server in a process of its own; yields its port."""
    command = [sys.executable, "-m", "tests.benchmarks.imports", "--serve", kind, "--platform", platform]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def measure(port: int) -> dict[str, float]:
    """Ask a server for its figures, which begin anew."""
    with httpx2.Client(trust_env=False) as client:
        found: dict[str, float] = client.get(f"http://127.0.0.1:{port}{MEASURED}").json()
        return found


def post(port: int, media_type: str, path: Path, rows: int) -> float:
    """Send a body from a file; returns the seconds until the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900, blocksize=256 * 1024)
    headers = {"X-API-Key": KEY, "Content-Type": media_type, "Content-Length": str(path.stat().st_size)}
    started_at = time.perf_counter()
    with path.open("rb") as body:
        connection.request("POST", PATH, body=body, headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    seconds = time.perf_counter() - started_at
    connection.close()
    if (response.status, answer.get("accepted")) != (202, rows):
        raise RuntimeError(f"{response.status}: {answer}")
    return seconds


def run(kind: str, platform: str, form: str, rows: int, path: Path) -> Figures:
    """Measure one server with one body, after a short one that warms it up."""
    with started(kind, platform) as port, tempfile.NamedTemporaryFile() as short:
        write_body(form, 100, Path(short.name))
        post(port, MEDIA_TYPES[form], Path(short.name), 100)
        before = measure(port)["peak_mib"]
        seconds = post(port, MEDIA_TYPES[form], path, rows)
        after = measure(port)
    return Figures(seconds, after["peak_mib"], after["peak_mib"] - before, after["stall_ms"])


def main() -> None:
    """Run all measurements and print them as a table."""
    parser = argparse.ArgumentParser(description="Measures imports.")
    parser.add_argument("--records", type=int, nargs="+", default=ROWS)
    parser.add_argument("--forms", nargs="+", choices=MEDIA_TYPES, default=list(MEDIA_TYPES))
    parser.add_argument("--serve", choices=["gateway", "naive", "platform"], help=argparse.SUPPRESS)
    parser.add_argument("--platform", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve, arguments.platform))
        return
    _say(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors\n")
    _say(
        "| form | rows | MB | way | seconds | rows/s | MB/s | peak MiB | grown MiB | longest stall ms | times faster |"
    )
    _say("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with started("platform") as port, tempfile.TemporaryDirectory() as folder:
        platform = f"http://127.0.0.1:{port}/mm-ms/apinew/"
        for form in arguments.forms:
            for rows in arguments.records:
                path = Path(folder) / form
                write_body(form, rows, path)
                _compare(platform, form, rows, path)


def _compare(platform: str, form: str, rows: int, path: Path) -> None:
    size = path.stat().st_size / 1e6
    found = {kind: run(kind, platform, form, rows, path) for kind in ("naive", "gateway")}
    for kind, each in found.items():
        speed = f"{rows / each.seconds:,.0f} | {size / each.seconds:.1f}"
        memory = f"{each.peak:.0f} | {each.grown:.1f} | {each.stall:.1f}"
        ratio = found["naive"].seconds / each.seconds
        _say(f"| {form} | {rows:,} | {size:.1f} | {kind} | {each.seconds:.3f} | {speed} | {memory} | {ratio:.1f} |")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
