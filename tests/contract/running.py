"""Runs of Schemathesis over parts of the OpenAPI document, each against a gateway of its own."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contract.target import Target, fuzzed_gateway

ROOT = Path(__file__).parents[2]
_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_COMMAND = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()")


PARTS = {
    "clients": "^/(v1/|healthz$|metrics$|readyz$)",
    # Apart from the others, because operators remove the tenant that those need.
    "operators": "^/admin/v1/",
}
"""The parts of the document, each by a regular expression of its paths."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        passed: whether nothing was found.
        output: what Schemathesis wrote.
        faults: what the gateway logged of faults of its own.
    """

    passed: bool
    output: str
    faults: str


def _document(paths: str) -> str:
    return "/admin/openapi.json" if paths == PARTS["operators"] else "/openapi.json"


async def fuzz(paths: str, folder: Path, options: Sequence[str]) -> Outcome:
    """Start a gateway and send it what Schemathesis makes up.

    Args:
        paths: a regular expression of the paths to test.
        folder: an empty folder for the gateway.
        options: further options of `schemathesis run`.
    """
    async with fuzzed_gateway(folder) as target:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *("--config-file", str(_CONFIGURATION), "run", f"{target.url}{_document(paths)}", "--url", target.url),
            *("--include-path-regex", paths, *options),
            cwd=folder,
            env=_environment(target),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    faults = [line for line in target.log.read_text(encoding="utf-8").splitlines() if "unhandled_error" in line]
    return Outcome(process.returncode == 0 and not faults, output.decode(errors="replace"), "\n".join(faults))


def _environment(target: Target) -> dict[str, str]:
    # What measures coverage would slow it down for nothing: only the gateway runs code of ours.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    credentials = {"FUZZED_KEY": target.key, "FUZZED_ADMIN_TOKEN": target.admin_token}
    known = {f"FUZZED_{name.upper()}": str(number) for name, number in target.known.items()}
    return {**kept, **credentials, **known, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
