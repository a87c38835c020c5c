"""Attacks are refused or bounded: each gets its answer, in little memory, and the neighbour is served throughout."""

from pathlib import Path

from tests.resilience.attacks import besieged

MOST_MEMORY = 200.0
"""MiB above rest."""


async def test_attacks_are_bounded(tmp_path: Path) -> None:
    measured = await besieged(tmp_path)
    wrong = [each.line() for each in measured if not each.is_right or each.memory > MOST_MEMORY]
    assert not wrong, "\n".join(wrong)
