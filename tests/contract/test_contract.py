"""The gateway does what its OpenAPI document says, whatever it is sent."""

import re
from pathlib import Path

import pytest

from tests.contract.running import PARTS, fuzz
from tests.support.conformance import document

EXAMPLES = "2"
"""Made-up requests of an operation, beside its examples and those that go through its limits one by one."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PARTS)
async def test_keeps_to_its_document(part: str, tmp_path: Path) -> None:
    outcome = await fuzz(PARTS[part], tmp_path, ["--generation-deterministic", "--max-examples", EXAMPLES])
    assert outcome.passed, f"{outcome.output}\n{outcome.faults}"


def test_parts_are_the_whole_document() -> None:
    for path in document()["paths"]:
        assert len([paths for paths in PARTS.values() if re.search(paths, path)]) == 1, path
