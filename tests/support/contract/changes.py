"""Changes, and how much they matter."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Part = dict[str, Any]


class Weight(StrEnum):
    """How much a change matters to clients."""

    BREAKING = "breaking"
    """A client that was right before may fail, or may no longer compile."""
    WARNING = "warning"
    """A client that follows the contract goes on working; somebody may still have relied on it."""


class Side(StrEnum):
    """Who writes what a schema describes."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Args:
        kind: a stable word for it.
        place: where, for people.
        weight: how much it matters.
    """

    kind: str
    place: str
    weight: Weight = Weight.BREAKING

    def __str__(self) -> str:
        return f"{self.weight}: {self.kind} at {self.place}"


class Documents:
    """Two versions of a document, each of which finds what its own parts refer to.

    Args:
        old: what clients were made for.
        new: what they are going to meet.
    """

    def __init__(self, old: Part, new: Part) -> None:
        self.old = old
        self.new = new

    def resolved(self, old: Part, new: Part) -> tuple[Part, Part]:
        """Return a part of each document, or what it refers to; what stands beside a reference counts too."""
        return _resolved(old, self.old), _resolved(new, self.new)


def _resolved(part: Part, document: Part) -> Part:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        part = {**found, **{name: value for name, value in part.items() if name != "$ref"}}
    return part
