"""An outage is two lines: lost, and back."""

import asyncio

from structlog.testing import capture_logs

from app.telemetry.watches import OutageWatch

FINE = {"database": "ok", "state": "ok"}


def test_each_change_is_logged_once_each_way() -> None:
    now = [0.0]

    async def unused() -> dict[str, str]:
        return FINE

    watch = OutageWatch(unused, monotonic=lambda: now[0])
    with capture_logs() as logs:
        for parts in (FINE, {**FINE, "state": "failing"}, {**FINE, "state": "failing"}):
            watch.note(parts)
        now[0] = 15.04
        for parts in (FINE, FINE):
            watch.note(parts)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("store_lost", "warning"),
        ("store_back", "warning"),
    ]
    assert logs[0]["consequence"]
    assert logs[1]["outage_seconds"] == 15.0


async def test_it_watches_without_requests_and_survives_a_failing_look() -> None:
    answers: list[dict[str, str] | Exception] = [RuntimeError("no idea"), {"state": "failing"}, {"state": "ok"}]
    done = asyncio.Event()

    async def parts() -> dict[str, str]:
        if not answers:
            done.set()
            return {"state": "ok"}
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with capture_logs() as logs:
        async with OutageWatch(parts, period=0.001).running():
            await asyncio.wait_for(done.wait(), 30)
    assert [line["event"] for line in logs] == ["outage_watch_failed", "store_lost", "store_back"]
