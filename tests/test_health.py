"""Asking a gateway how it is, as containers do."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from app.health import check
from tests.support.running import make_app
from tests.support.servers import serving, unused_port
from tests.support.sockets import served

ROOT = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", ""])
async def test_a_gateway_that_serves_is_well(path: str) -> None:
    async with served(make_app([])) as port:
        assert await asyncio.to_thread(check, f"http://127.0.0.1:{port}{path}") is None


async def test_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    async with served(make_app([])) as port:
        assert await asyncio.to_thread(check, f"http://127.0.0.1:{port}/healthz") is None


async def test_another_answer_than_200_is_none() -> None:
    async with served(make_app([])) as port:
        reason = await asyncio.to_thread(check, f"http://127.0.0.1:{port}/nothing")
    assert reason == f"http://127.0.0.1:{port}/nothing answers 404"


async def test_nonsense_is_no_answer() -> None:
    async def mumble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"mumble\r\n\r\n")
        await writer.drain()

    async with serving(mumble) as url:
        assert "cannot be asked: mumble" in (await asyncio.to_thread(check, url) or "")


async def test_silence_is_no_answer() -> None:
    async def keep_silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(keep_silent) as url:
        assert "cannot be asked: timed out" in (await asyncio.to_thread(check, url, seconds=0.1) or "")


@pytest.mark.parametrize("url", ["nothing", "https://127.0.0.1/healthz", "file:///etc/passwd"])
def test_other_addresses_are_refused(url: str) -> None:
    assert check(url) == f"{url} is not the address of a gateway"


async def test_tells_the_container_engine_by_its_exit_status() -> None:
    async with served(make_app([])) as port:
        done = await asyncio.to_thread(run, "-m", "app.health", f"http://127.0.0.1:{port}/healthz")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    url = f"http://127.0.0.1:{unused_port()}/healthz"
    done = run("-m", "app.health", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{url} cannot be asked: ")
    assert run("-m", "app.health").returncode == 1


def test_loads_no_gateway() -> None:
    done = run("-c", "import sys, app.health; print(sorted(n for n in sys.modules if n.split('.')[0] == 'app'))")
    assert done.stdout.strip() == "['app', 'app.health']"
