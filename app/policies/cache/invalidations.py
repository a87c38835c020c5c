"""What replicas tell each other: what became invalid, and that they have heard of it."""

import asyncio
import json
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What became invalid.

    Args:
        sender: the replica that says so.
        tenant: whose, under its name in the store; None for everything.
        tags: of these tags; None for all that is the tenant's.
        confirm: whether the sender waits until everyone has obeyed.
        id: tells it from others.
    """

    sender: str
    tenant: str | None = None
    tags: tuple[str, ...] | None = None
    confirm: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def encode(self) -> str:
        """Return it as a message."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, message: bytes) -> "Invalidation":
        """Read a message.

        Raises:
            ValueError: it is none.
        """
        try:
            fields = json.loads(message)
            tags = None if fields["tags"] is None else tuple(map(str, fields["tags"]))
            return cls(fields["sender"], fields["tenant"], tags, fields["confirm"], fields["id"])
        except (KeyError, TypeError) as error:
            raise ValueError("not an invalidation") from error


class Receipt:
    """How many replicas have confirmed one invalidation."""

    def __init__(self) -> None:
        self._confirmed = 0
        self._expected = math.inf
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def confirm(self) -> None:
        """Count one more."""
        self._confirmed += 1
        self._check()

    async def complete(self, count: int, seconds: float) -> bool:
        """Wait until so many have confirmed; tell whether they have in time."""
        self._expected = count
        self._check()
        done, _ = await asyncio.wait([self._complete], timeout=seconds)
        return bool(done)

    def _check(self) -> None:
        if self._confirmed >= self._expected and not self._complete.done():
            self._complete.set_result(None)


class Receipts:
    """The receipts that this replica waits for."""

    def __init__(self) -> None:
        self._open: dict[str, Receipt] = {}

    @contextmanager
    def expecting(self, invalidation: Invalidation) -> Iterator[Receipt]:
        """Count confirmations of an invalidation while the context is open."""
        receipt = self._open[invalidation.id] = Receipt()
        try:
            yield receipt
        finally:
            del self._open[invalidation.id]

    def confirmed(self, invalidation_id: str) -> None:
        """Count a confirmation, if anybody still waits for it."""
        receipt = self._open.get(invalidation_id)
        if receipt is not None:
            receipt.confirm()
