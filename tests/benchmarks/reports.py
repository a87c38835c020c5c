"""What dashboards cost: a page of twenty campaigns with their parts, and the report of a campaign with many opens.

    python -m tests.benchmarks.reports --opens 1000000

The platform answers the list of campaigns after a tenth of a second, statistics and tracking after a second each; the
tenant has twenty slots. Memory is that of the gateway's process, at its peak less what it took at rest.
"""

import argparse
import asyncio
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from tests.benchmarks import gateways
from tests.benchmarks.exports import measured, process
from tests.support.tenants import KEY

_LISTING, _PART = 0.1, 1.0
_CAMPAIGNS = 20
_BLOCK = 1000
_BROWSERS = tuple(f"Browser {number}" for number in range(25))
_COUNTRIES = ("中国", "美国", "德国", "日本", "")
_HOURS = 200


def opens(count: int) -> Iterator[tuple[str, str, int, int]]:
    """Yield for each recipient the browser, the country, the hour of the first open and the number of opens."""
    for number in range(count):
        yield _BROWSERS[number * 7 % 25], _COUNTRIES[number % 5], number * 13 % _HOURS, 1 + number % 3


def _user(number: int, browser: str, country: str, hour: int, total: int) -> str:
    day, of_day = divmod(hour, 24)
    first = f"2026-03-{1 + day:02} {of_day:02}:31:05"
    return (
        f"<user><email_id>{number}</email_id><email><![CDATA[reader{number}@example.com]]></email>"
        f"<browser>{browser}</browser><os>Android </os><device>mobile</device><addr_first>亚洲|{country}|</addr_first>"
        f"<ip_first>192.0.2.1</ip_first><ip_last></ip_last><addr_last></addr_last><open_total>{total}</open_total>"
        f"<click_total>0</click_total><open_first>{first}</open_first><open_last>0000-00-00 00:00:00</open_last>"
        "<click_first></click_first><click_last></click_last></user>\n"
    )


def _task(number: int) -> str:
    return (
        f"<task><id>{number}</id><sn>20260301093000-1-{number}</sn><send_status>3</send_status>"
        "<time_start>2026-03-01 09:30:00</time_start></task>"
    )


async def _task_php(request: web.Request) -> web.Response:
    wanted = request.query.get("id")
    if wanted is None:
        await asyncio.sleep(_LISTING)
    tasks = [int(wanted)] if wanted else range(1, _CAMPAIGNS + 1)
    return web.Response(text=f"<task_list>{''.join(map(_task, tasks))}</task_list>")


async def _stask_php(request: web.Request) -> web.Response:
    await asyncio.sleep(_PART)
    batch = f"20260301093000-1-{request.query['id']}"
    return web.Response(text=f"<data><task><task_id>1</task_id><task_ident>{batch}</task_ident></task></data>")


async def _track_php(request: web.Request) -> web.StreamResponse:
    wanted = request.query["id"]
    if request.query["do"] == "overview":
        await asyncio.sleep(_PART)
        return web.Response(text=f"<track><track_id>1</track_id><send_id>{wanted}</send_id></track>")
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<data>\n')
    block: list[str] = []
    for number, each in enumerate(opens(int(wanted))):
        block.append(_user(number, *each))
        if len(block) == _BLOCK:
            await response.write("".join(block).encode())
            block.clear()
    await response.write("".join(block).encode() + b"</data>")
    return response


async def _failures_php(_request: web.Request) -> web.Response:
    return web.Response(text="<fail_recipient_list></fail_recipient_list>")


def run_platform(control: Connection) -> None:
    """Serve; a campaign's id is the number of its opens."""
    app = web.Application()
    for name, handler in {
        "task": _task_php,
        "stask": _stask_php,
        "track": _track_php,
        "failexportall": _failures_php,
    }.items():
        app.router.add_get(f"/mm-ms/apinew/{name}.php", handler)

    async def serve() -> None:
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        control.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


def get(port: int, path: str, **headers: str) -> tuple[float, Any]:
    """Return how long an answer took, and the answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-API-Key": KEY, **headers})
    began = time.monotonic()
    with urllib.request.urlopen(request) as answer:
        return time.monotonic() - began, json.load(answer)


def check(report: dict[str, Any], count: int) -> None:
    """Compare a report's figures with a straightforward count."""
    rows = list(opens(count))
    browsers, countries = Counter(row[0] for row in rows), Counter(row[1] or None for row in rows)
    assert report["engagement"]["unique_opens"] == count
    assert report["engagement"]["total_opens"] == sum(row[3] for row in rows)
    assert all(browsers[each["name"]] == each["recipients"] for each in report["browsers"]["top"])
    assert sum(each["recipients"] for each in report["browsers"]["top"]) + report["browsers"]["other"] == count
    assert {each["name"]: each["recipients"] for each in report["countries"]["top"]} == countries
    days = Counter(row[2] // 24 for row in rows)
    assert [point["first_opens"] for point in report["timeline"]["points"]] == [days[day] for day in sorted(days)]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opens", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    options = parser.parse_args()
    with process(run_platform) as (upstream, _):
        with process(gateways.run_gateway, f"http://127.0.0.1:{upstream}/mm-ms/apinew/", 20) as (port, _):
            path = f"/v1/campaigns?expand=statistics,tracking&page_size={_CAMPAIGNS}"
            get(port, path)
            seconds, page = get(port, path, **{"Cache-Control": "no-cache"})
            assert page["expansion_errors"] == []
            print(f"{_CAMPAIGNS} campaigns with both parts: {seconds:.2f} s, {seconds / _PART:.2f} x the slowest call")
            again, _ = get(port, path)
            print(f"the same, cached: {again * 1000:.1f} ms")
        for count in options.opens:
            with process(gateways.run_gateway, f"http://127.0.0.1:{upstream}/mm-ms/apinew/", 20) as (port, _):
                get(port, "/v1/campaigns/500/report")
                rest = measured(port)["peak_mib"]
                seconds, report = get(port, f"/v1/campaigns/{count}/report")
                costs = measured(port)
                check(report, count)
                print(
                    f"report over {count:,} opens: {seconds:.1f} s, {costs['peak_mib'] - rest:.0f} MiB above rest,"
                    f" longest stall {costs['stall_ms']:.0f} ms, of which {costs['busy_ms']:.0f} ms of work"
                )


if __name__ == "__main__":
    main()
