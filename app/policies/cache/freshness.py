"""How old an answer is and what may be done with it (RFC 9111, 4.2; RFC 5861)."""

from app.policies.cache.model import Answer, Directives, Outcome


def age_of(answer: Answer, now: float) -> float:
    """Return the seconds since an answer was fetched; none if another machine's clock is ahead."""
    return max(0.0, now - answer.stored_at)


def is_fresh(answer: Answer, now: float) -> bool:
    """Tell whether an answer may be served without asking the platform."""
    return now - answer.stored_at < answer.windows.fresh


def remaining_life(answer: Answer, now: float) -> float:
    """Return the seconds for which an answer can be of any use; not above 0 if it must not be stored."""
    windows = answer.windows
    if windows.fresh <= 0:
        return 0.0
    stale = max(windows.stale_while_revalidate, windows.stale_if_error) if answer.found else 0.0
    return windows.fresh + stale - age_of(answer, now)


def may_stand_in(answer: Answer, now: float) -> bool:
    """Tell whether an answer may be served because the platform failed."""
    return is_fresh(answer, now) or _stale_within(answer, now, answer.windows.stale_if_error)


def judge(answer: Answer | None, now: float, directives: Directives) -> Outcome:
    """Return what a read does with what is stored: HIT and STALE serve it, MISS and FORCED fetch.

    A request that names an age does not want a stale answer either (RFC 9111, 5.2.1.1).
    """
    if directives.no_cache or (directives.max_age is not None and directives.max_age <= 0):
        return Outcome.FORCED
    if answer is None or remaining_life(answer, now) <= 0:
        return Outcome.MISS
    fresh = is_fresh(answer, now)
    if directives.max_age is not None:
        return Outcome.HIT if fresh and age_of(answer, now) <= directives.max_age else Outcome.FORCED
    if fresh:
        return Outcome.HIT
    return Outcome.STALE if _stale_within(answer, now, answer.windows.stale_while_revalidate) else Outcome.MISS


def _stale_within(answer: Answer, now: float, window: float) -> bool:
    return answer.found and age_of(answer, now) < answer.windows.fresh + window
