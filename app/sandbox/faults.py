"""Misbehaviour on request: which faults exist, how they are described, and which call meets which."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from app.sandbox.habits import HABITS

WIRE_KINDS = (
    "latency",
    "status",
    "html_200",
    "html_500",
    "reset_before",
    "reset_after",
    "close_after",
    "hang_before",
    "hang_after",
    "drip",
    "truncate",
    "cut_xml",
    "gbk",
    "bom",
    "flapping",
    "garbage",
    "entity_bomb",
    "unknown_elements",
    "wrong_credentials",
    "huge",
)
KINDS: tuple[str, ...] = (*WIRE_KINDS, *HABITS)


class FaultError(ValueError):
    """A fault that cannot be: ``problems`` says what is wrong, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        """Take at least one problem."""
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Fault:
    """One kind of misbehaviour and the calls that meet it.

    ``operation`` limits it to one operation; ``times`` is how many calls it hits, ``None`` means until it is cleared;
    ``every`` hits the first matching call and then each n-th. ``delay`` is waited before the fault acts; for ``drip``
    between two bytes, for a hang how long it lasts (0: until the client goes away). ``status`` and ``retry_after``
    belong to ``status`` and ``flapping``. ``flapping`` fails every other call and never wears out by default.
    """

    kind: str
    operation: str | None = None
    times: int | None = 1
    delay: float = 0.0
    status: int = 503
    retry_after: int | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible values; give ``flapping`` its rhythm."""
        problems = _problems(self)
        if problems:
            raise FaultError(problems)
        if self.kind == "flapping":
            object.__setattr__(self, "every", self.every or 2)
            object.__setattr__(self, "times", None if self.times == 1 else self.times)

    @classmethod
    def from_json(cls, value: object) -> "Fault":
        """Make a fault of decoded JSON; ``FaultError`` names every unknown or mistyped member."""
        if not isinstance(value, dict):
            raise FaultError(["a fault is a JSON object"])
        types = _member_types()
        problems = [f"unknown member {name!r}; known: {', '.join(types)}" for name in value if name not in types]
        problems += [
            f"{name} has the wrong type"
            for name, allowed in types.items()
            if name in value and (not isinstance(value[name], allowed) or isinstance(value[name], bool))
        ]
        if "kind" not in value:
            problems.append("kind is required")
        if problems:
            raise FaultError(problems)
        return cls(**value)

    @classmethod
    def from_header(cls, text: str) -> "Fault":
        """Make a fault of the ``X-Sandbox-Fault`` header: ``kind`` or ``kind; delay=0.5; status=429``."""
        kind, *parameters = [part.strip() for part in text.split(";")]
        value: dict[str, Any] = {"kind": kind}
        for parameter in filter(None, parameters):
            name, _, number = (part.strip() for part in parameter.partition("="))
            try:
                value[name] = float(number) if name == "delay" else int(number)
            except ValueError as error:
                raise FaultError([f"{name} needs a number"]) from error
        return cls.from_json(value)


def _member_types() -> Mapping[str, tuple[type, ...]]:
    nothing = type(None)
    types: dict[str, tuple[type, ...]] = {
        "kind": (str,),
        "operation": (str, nothing),
        "delay": (int, float),
        "status": (int,),
    }
    return {item.name: types.get(item.name, (int, nothing)) for item in fields(Fault)}


def _problems(fault: Fault) -> list[str]:
    checks = [
        (fault.kind in KINDS, f"unknown kind {fault.kind!r}; known: {', '.join(KINDS)}"),
        (fault.times is None or fault.times >= 1, "times is at least 1, or null for always"),
        (0 <= fault.delay <= 3600, "delay is between 0 and 3600 seconds"),
        (200 <= fault.status <= 599, "status is between 200 and 599"),
        (fault.retry_after is None or fault.retry_after >= 0, "retry_after is not negative"),
        (fault.every is None or fault.every >= 1, "every is at least 1"),
    ]
    return [problem for holds, problem in checks if not holds]


@dataclass
class QueuedFault:
    """A fault in the queue, with the matching calls it has seen and those it has hit."""

    fault: Fault
    seen: int = 0
    hits: int = 0

    def meets(self, operation: str) -> bool:
        """Say whether this call is hit, and count it."""
        if self.fault.operation not in (None, operation):
            return False
        self.seen += 1
        hit = (self.seen - 1) % (self.fault.every or 1) == 0
        self.hits += hit
        return hit

    @property
    def worn_out(self) -> bool:
        """Whether it has hit as many calls as it should."""
        return self.fault.times is not None and self.hits >= self.fault.times


class FaultQueue:
    """Faults waiting for calls; the oldest one that matches a call hits it, alone."""

    def __init__(self) -> None:
        """Start without faults."""
        self._queue: list[QueuedFault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault at the end."""
        self._queue.append(QueuedFault(fault))

    def take(self, operation: str) -> Fault | None:
        """Answer the fault that this call meets, if any."""
        for queued in self._queue:
            if queued.meets(operation):
                if queued.worn_out:
                    self._queue.remove(queued)
                return queued.fault
        return None

    def clear(self) -> int:
        """Drop all faults; answer how many there were."""
        count = len(self._queue)
        self._queue.clear()
        return count

    def listing(self) -> list[dict[str, Any]]:
        """Describe the queue as JSON values."""
        return [{**asdict(queued.fault), "seen": queued.seen, "hits": queued.hits} for queued in self._queue]
