"""What requests have come to, as steps of transactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.storage.database.statements import Statement, Steps, Work
from app.storage.writes import attempts, keys
from app.storage.writes.models import Confirmed, JournalEntry, KeyClaim, Outcome, StoredAnswer


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered, the fingerprint of its body, and the scopes it needed."""

    answer: StoredAnswer
    body: str
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a request that changed something has come to, with further steps of the transaction (`also`).

    Without an answer its key is released, or, if a change may have `left`, kept for the next request to find out more.
    """

    attempt: JournalEntry | None = None
    outcome: Outcome | None = None
    claim: KeyClaim | None = None
    answered: Answered | None = None
    left: bool = False
    also: Sequence[Work[None]] = ()


class Endings:
    """Writes what requests have come to; `kept` is told the tenant and size of each answer."""

    def __init__(
        self,
        sealer: keys.AnswerSealer,
        *,
        now: Callable[[], datetime],
        holder: str,
        retention: float,
        kept: Callable[[str, int], None],
    ) -> None:
        self._sealer = sealer
        self._now = now
        self._holder = holder
        self._retention = retention
        self._kept = kept

    def steps(self, ending: Ending) -> Steps[bool]:
        """Write an ending; False if the attempt does not stand as it says."""
        stands = True
        if ending.attempt is not None and ending.outcome is not None:
            stands = yield from self.outcome(ending.attempt, ending.outcome)
        if ending.claim is not None:
            yield [self._key_ending(ending.claim, ending)]
        for steps in ending.also:
            yield from steps()
        return stands

    def outcome(self, attempt: JournalEntry, outcome: Outcome) -> Steps[bool]:
        """Write what became of an attempt; tell whether it now stands so."""
        if isinstance(outcome, Confirmed):
            return _confirmed(attempt, outcome, self._now())
        return attempts.settling(attempt, outcome, moment=self._now())

    def finishing(self, claim: KeyClaim, answered: Answered, holder: str | None) -> Statement:
        """Keep an answer, if the key is the holder's or, without one, no living process's."""
        sealed = self._sealer.seal(claim.tenant, claim.key, answered.answer)
        self._kept(claim.tenant, len(sealed or b""))
        return keys.finishing(
            claim,
            sealed,
            status=answered.answer.status,
            body=answered.body,
            scopes=answered.scopes,
            holder=holder,
            retention=self._retention,
        )

    def _key_ending(self, claim: KeyClaim, ending: Ending) -> Statement:
        if ending.answered is not None:
            return self.finishing(claim, ending.answered, self._holder)
        return (keys.abandoning if ending.left else keys.releasing)(claim, self._holder)


def _confirmed(attempt: JournalEntry, outcome: Confirmed, moment: datetime) -> Steps[bool]:
    stands = yield from attempts.confirming(attempt, outcome, moment=moment)
    if stands:
        for steps in outcome.also:
            yield from steps()
    return stands
