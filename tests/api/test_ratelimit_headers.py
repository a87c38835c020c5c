"""Limits as they are written in headers."""

from app.api.rate_limits import ratelimit_headers
from app.policies.rate_limits import Quota, QuotaStatus


def test_no_limits_are_no_headers() -> None:
    assert ratelimit_headers(()) == ()


def test_each_limit_is_written_with_what_is_left_and_when_there_is_more() -> None:
    standings = [QuotaStatus(Quota("tenant", 600, 60), 599, 12.2), QuotaStatus(Quota("key", 10, 60), 0, 0.0)]
    assert ratelimit_headers(standings) == (
        (b"ratelimit-policy", b'"tenant";q=600;w=60, "key";q=10;w=60'),
        (b"ratelimit", b'"tenant";r=599;t=13, "key";r=0;t=0'),
    )
