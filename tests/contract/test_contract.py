"""The gateway does what its OpenAPI document says, whatever it is sent."""

import re
from pathlib import Path

import pytest

from tests.contract.running import PARTS, fuzz
from tests.support.conformance import document

OPTIONS = ("--generation-deterministic", "--phases", "examples,fuzzing,stateful", "--max-examples", "3")
"""The long run (`tests/contract/long_run.py`) also goes through the limits of every field one by one."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PARTS)
async def test_keeps_to_its_document(part: str, tmp_path: Path) -> None:
    outcome = await fuzz(PARTS[part], tmp_path, OPTIONS)
    assert outcome.passed, f"{outcome.output}\n{outcome.faults}"


def test_parts_are_the_whole_document() -> None:
    for path in document()["paths"]:
        assert len([paths for paths in PARTS.values() if re.search(paths, path)]) == 1, path
