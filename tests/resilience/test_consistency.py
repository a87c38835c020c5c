"""Two gateways that share a cache, many tenants, and a store that goes and comes back."""

from tests.resilience.consistency import run


async def test_nobody_sees_foreign_data_or_the_state_before_his_own_write() -> None:
    result = await run(requests=3000, tenants=40, at_once=16)
    assert result.wrong == []
    assert result.requests == 3000
    assert result.hits > 100
    assert result.upstream < result.requests
