"""Tokens and writers of this process: what decides whether an answer held in it is still valid."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable

from app.policies.cache.store import Change, Stamp, new_token

_MOST_TOKENS = 65_536


class Generations:
    """Hands out tokens by tenant and tag; one that was forgotten comes back as another, never as itself."""

    def __init__(self, most: int = _MOST_TOKENS) -> None:
        self._most = most
        self._everything = new_token()
        self._tokens: OrderedDict[tuple[str, str | None], bytes] = OrderedDict()
        self.changes = 0
        """Grows whenever anything becomes invalid."""

    def stamp(self, tenant: str, tags: Iterable[str]) -> Stamp:
        """Return the tokens that an answer with these tags depends on now."""
        token = self._token
        return (self._everything, token((tenant, None)), *[token((tenant, tag)) for tag in tags])

    def renew_everything(self) -> None:
        """Make everything invalid."""
        self.changes += 1
        self._everything = new_token()
        self._tokens.clear()

    def renew(self, tenant: str, tags: Collection[str] | None = None) -> None:
        """Make a tenant's answers with any of these tags invalid, or all of its answers."""
        self.changes += 1
        for tag in (None,) if tags is None else tags:
            self._tokens.pop((tenant, tag), None)

    def _token(self, key: tuple[str, str | None]) -> bytes:
        token = self._tokens.get(key)
        if token is None:
            token = self._tokens[key] = new_token()
            if len(self._tokens) > self._most:
                self._tokens.popitem(last=False)
        return token


class Writers:
    """Knows which tags are being written, and until when at most.

    Args:
        clock: a monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], dict[str, float]] = {}

    def begin(self, change: Change, seconds: float) -> None:
        """Take a write into account, for so many seconds at most."""
        for tag in change.tags:
            self._until.setdefault((change.tenant, tag), {})[change.writer] = self._clock() + seconds

    def end(self, change: Change) -> None:
        """Forget a write."""
        for tag in change.tags:
            until = self._until.get((change.tenant, tag), {})
            until.pop(change.writer, None)
            if not until:
                self._until.pop((change.tenant, tag), None)

    def writing(self, tenant: str, tags: Iterable[str]) -> bool:
        """Tell whether one of a tenant's tags is being written."""
        if not self._until:
            return False
        now = self._clock()
        return any(until > now for tag in tags for until in self._until.get((tenant, tag), {}).values())
