"""How old an entry is and what may be done with it (RFC 9111, 4.2; RFC 5861)."""

from app.policies.cache.model import CacheEntry, CacheOutcome, Directives


def age_of(entry: CacheEntry, now: float) -> float:
    """Return the seconds since an entry was fetched; none if another machine's clock is ahead."""
    return max(0.0, now - entry.stored_at)


def is_fresh(entry: CacheEntry, now: float) -> bool:
    """Tell whether an entry may be served without asking the platform."""
    return now - entry.stored_at < entry.windows.fresh


def remaining_life(entry: CacheEntry, now: float) -> float:
    """Return the seconds for which an entry can be of any use; not above 0 if it must not be stored."""
    windows = entry.windows
    if windows.fresh <= 0:
        return 0.0
    stale = max(windows.stale_while_revalidate, windows.stale_if_error) if entry.found else 0.0
    return windows.fresh + stale - age_of(entry, now)


def may_stand_in(entry: CacheEntry, now: float) -> bool:
    """Tell whether an entry may be served because the platform failed."""
    return is_fresh(entry, now) or _stale_within(entry, now, entry.windows.stale_if_error)


def judge(entry: CacheEntry | None, now: float, directives: Directives) -> CacheOutcome:
    """Return what a read does with what is stored: HIT and STALE serve it, MISS and FORCED fetch.

    A request that names an age does not want a stale response either (RFC 9111, 5.2.1.1).
    """
    if directives.no_cache or (directives.max_age is not None and directives.max_age <= 0):
        return CacheOutcome.FORCED
    if entry is None or remaining_life(entry, now) <= 0:
        return CacheOutcome.MISS
    fresh = is_fresh(entry, now)
    if directives.max_age is not None:
        return CacheOutcome.HIT if fresh and age_of(entry, now) <= directives.max_age else CacheOutcome.FORCED
    if fresh:
        return CacheOutcome.HIT
    return CacheOutcome.STALE if _stale_within(entry, now, entry.windows.stale_while_revalidate) else CacheOutcome.MISS


def _stale_within(entry: CacheEntry, now: float, window: float) -> bool:
    return entry.found and age_of(entry, now) < entry.windows.fresh + window
