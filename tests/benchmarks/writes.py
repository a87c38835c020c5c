"""How many messages go to a relay a second: by a plain loop over a client library, and through the gateway.

    python -m tests.benchmarks.writes [--seconds 5] [--rounds 3]

The relay is the sandbox's, in a process of its own. The loop is what somebody would write with `aiosmtplib`: five
connections that are kept, and no memory of what was sent. The gateway notes every message on disk before it leaves.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosmtplib
import uvloop

from app.sandbox import Account, Sandbox
from app.sandbox.seed import MAILBOX_PASSWORD
from tests.benchmarks.load import Figures, LoadGenerator, Target
from tests.benchmarks.servers import gateway, new_master_key
from tests.benchmarks.tables import machine, table
from tests.support.postgres import postgres_server
from tests.support.tenants import KEY

SENDER = "news@acme.example"
RECIPIENT = "somebody@example.com"
BASELINE = "aiosmtplib, 5 connections"
CONCURRENCY = 32
CONNECTIONS = 5


def run_relay(control: Connection) -> None:
    """Be a platform with a relay; sends both ports."""

    async def serve() -> None:
        async with Sandbox([Account("acme", "tenant-password", seeded=True)], smtp=True) as sandbox:
            control.send((int(sandbox.base_url.split(":")[2].split("/")[0]), sandbox.smtp_port))
            await asyncio.Event().wait()

    uvloop.run(serve())


@contextmanager
def relay() -> Iterator[tuple[int, int]]:
    """Run a platform; yields its port and its relay's."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_relay, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


async def _send(port: int, connections: int, seconds: float) -> Figures:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Your order"
    message.set_content("It is on its way.")
    latencies: list[float] = []
    began = time.perf_counter()

    async def one() -> None:
        login: dict[str, Any] = {"username": SENDER, "password": MAILBOX_PASSWORD}
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, **login) as client:
            while time.perf_counter() < began + seconds:
                asked = time.perf_counter()
                await client.send_message(message)
                latencies.append(time.perf_counter() - asked)

    await asyncio.gather(*(one() for _ in range(connections)))
    took = time.perf_counter() - began
    p99 = sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]
    return Figures(len(latencies) / took, statistics.median(latencies) * 1000, p99 * 1000, 0.0)


def request() -> bytes:
    """Write the request that sends a message."""
    body = json.dumps(
        {
            "from": {"email": SENDER},
            "to": [{"email": RECIPIENT}],
            "subject": "Your order",
            "text": "It is on its way.",
        }
    )
    head = f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def measure(database: str, options: argparse.Namespace) -> None:
    """Measure the loop and the gateway in turn, and print the tables."""
    generator = LoadGenerator()
    many: dict[str, list[Figures]] = {BASELINE: [], "gateway": []}
    single: dict[str, list[Figures]] = {"aiosmtplib": [], "gateway": []}
    with relay() as (platform, smtp), TemporaryDirectory() as folder:
        url = database or f"sqlite:///{Path(folder) / 'gateway.db'}"
        account = {"host": "127.0.0.1", "port": smtp, "username": SENDER, "password": MAILBOX_PASSWORD}
        with gateway(platform, smtp=account, database_url=url, master_key=new_master_key()) as (port, pid):
            target = Target(port, request(), 202, pid=pid)
            for _ in range(options.rounds):
                many[BASELINE].append(uvloop.run(_send(smtp, CONNECTIONS, options.seconds)))
                many["gateway"].append(generator.press(target, concurrency=CONCURRENCY, seconds=options.seconds))
                single["aiosmtplib"].append(uvloop.run(_send(smtp, 1, options.seconds)))
                single["gateway"].append(generator.press(target, concurrency=1, seconds=options.seconds))
    generator.close()
    print(f"\n{'PostgreSQL' if database else 'SQLite on disk'}, {CONCURRENCY} at once\n\n{table(many, BASELINE)}")
    print(f"\none at a time\n\n{table(single, 'aiosmtplib')}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    measure("", options)
    with postgres_server() as postgres:
        measure(postgres.make(), options)


if __name__ == "__main__":
    main()
