"""Clients generated from the document, as the guide shows them, at a running gateway."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import Account, Sandbox
from tests.support.gateways import key_of, running_gateway, tenants_file
from tests.support.tools import FOLDER, client_python, node_modules, run_tool, run_unchecked

GUIDE = FOLDER / "README.md"
DOCUMENT = FOLDER / "openapi.json"
_STRICT = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "skipLibCheck": False,
    "target": "es2022",
    "module": "nodenext",
    "lib": ["es2022", "dom"],
    "types": [],
}


def section() -> str:
    """Return what the guide says of clients."""
    return GUIDE.read_text(encoding="utf-8").partition("## Clients\n")[2].partition("\n## ")[0]


def code(language: str) -> str:
    """Return the code in one language that stands there."""
    return section().partition(f"```{language}\n")[2].partition("```")[0]


def arguments(tool: str) -> list[str]:
    """Return what a tool is called with there."""
    line = re.search(rf"^(?:npx )?{tool} (.*)$", section(), re.MULTILINE)
    assert line
    return line[1].replace("openapi/openapi.json", str(DOCUMENT)).split()


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway with a tenant who may send, and the platform behind it."""

    url: str
    key: str
    sandbox: Sandbox


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with Sandbox([Account(username="acme", password="secret", role="customer", seeded=True)]) as sandbox:
        tenants = tenants_file(tmp_path, sandbox.base_url, [("acme", "secret")])
        async with running_gateway(tmp_path, {"TENANTS_URL": tenants, "DATA_DIR": tmp_path}) as running:
            yield Running(running.url, key_of("acme"), sandbox)


def check(statistics: dict[str, Any], sandbox: Sandbox) -> None:
    """Assert that a client has sent its campaign, and was told of it."""
    campaign = list(sandbox.state("acme").campaigns.values())[-1]
    assert statistics["batch"] == campaign.ident
    assert {each.email for each in campaign.deliveries} == {"anna@example.com", "li.na@example.com"}


async def test_typescript_sends_a_campaign(tmp_path: Path, gateway: Running) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "node_modules").symlink_to(node_modules())
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": _STRICT}), encoding="utf-8")
    (folder / "announce.ts").write_text(code("typescript"), encoding="utf-8")
    call = f"announce({json.dumps(gateway.url)}, {json.dumps(gateway.key)})"
    main = f'import {{ announce }} from "./announce.js";\n{call}.then((it) => console.log(JSON.stringify(it)));'
    (folder / "main.ts").write_text(main, encoding="utf-8")

    def run() -> str:
        run_tool("openapi-typescript", *arguments("openapi-typescript"), folder=folder)
        run_tool("tsc", "--project", "tsconfig.json", folder=folder)
        return run_tool("node", "main.js", folder=folder)

    check(json.loads(await asyncio.to_thread(run)), gateway.sandbox)


async def test_python_sends_a_campaign(tmp_path: Path, gateway: Running) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "config.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    (folder / "announce.py").write_text(code("python"), encoding="utf-8")
    call = f"announce({gateway.url!r}, {gateway.key!r})"
    main = f"import json\nfrom announce import announce\nprint(json.dumps({call}.to_dict()))\n"
    (folder / "main.py").write_text(main, encoding="utf-8")
    python = client_python()

    def run() -> str:
        options = arguments("openapi-python-client")
        called = ("-m", "openapi_python_client", *options, "--config", "config.yaml")
        check_warnings(run_tool(python, *called, folder=folder))
        check_types(python, folder)
        return run_tool(python, "-W", "error", "main.py", folder=folder)

    check(json.loads(await asyncio.to_thread(run)), gateway.sandbox)


def check_warnings(said: str) -> None:
    """Assert that the generator left nothing out but bodies that are no JSON, which it cannot write."""
    found = [line for line in said.splitlines() if line.startswith("Unsupported") or "will not be generated" in line]
    assert sorted(found) == [
        "Unsupported content type application/x-ndjson",
        "Unsupported content type text/csv",
    ]


def check_types(python: Path, folder: Path) -> None:
    """Assert that mypy finds nothing; the generator's own part, which is the same for every document, is not clean."""
    options = ("--strict", "--python-executable", str(python), "--config-file", "", "--cache-dir", str(folder / "mypy"))
    done = run_unchecked(sys.executable, "-m", "mypy", *options, "-p", "umail", "-m", "announce", folder=folder)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert done.returncode in {0, 1}
    assert [line for line in errors if not line.startswith("umail/client.py:")] == []
