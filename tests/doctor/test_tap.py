"""The connection that lets reads through only, and keeps what comes back."""

import gzip

import httpx2
import pytest

from app.doctor.recording import NotARead, RecordingTransport
from app.resources.lists.operations import DELETE, LIST
from app.upstream.envelope import WireRequest
from app.upstream.wire import Progress
from tests.support.library import LibraryTransport

URL = "http://127.0.0.1:9/mm-ms/apinew/mloperate.php"


def tap(**reply: object) -> tuple[RecordingTransport, list[httpx2.Request]]:
    """Return a tap, and the requests that it lets through."""
    let_through: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        let_through.append(request)
        return httpx2.Response(200, **reply)  # type: ignore[arg-type]

    return RecordingTransport(LibraryTransport(httpx2.MockTransport(answer)), [LIST, DELETE]), let_through


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{URL}?do=maillist-del&id=7"),
        ("GET", URL),
        ("POST", f"{URL}?do=maillist-list"),
        ("GET", "http://127.0.0.1:9/mm-ms/apinew/task.php?do=maillist-list"),
        ("GET", f"{URL}?do=maillist-del&do=maillist-list"),
        ("GET", f"{URL}?do=maillist-list&do=maillist-del"),
    ],
)
async def test_nothing_but_reads_gets_through(method: str, url: str) -> None:
    tapped, let_through = tap()
    with pytest.raises(NotARead, match=rf"^{method} \w+.php$"):
        await tapped.open(WireRequest(method, url, {}), connect=1.0, progress=Progress())
    assert let_through == []


async def test_what_comes_back_is_kept() -> None:
    packed = gzip.compress(b"<maillist/>")
    tapped, let_through = tap(content=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/xml"})
    request = WireRequest("GET", f"{URL}?do=maillist-list", {})
    reply = await tapped.open(request, connect=1.0, progress=Progress())
    assert tapped.last is not None
    assert not tapped.last.complete
    while await reply.chunk() is not None:
        pass
    assert (tapped.last.complete, tapped.last.content_type) == (True, "text/xml")
    assert tapped.last.body() == b"<maillist/>"
    assert len(let_through) == 1
    await tapped.aclose()
