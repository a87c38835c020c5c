"""What is remembered of verified tokens, and for how long."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tenants.jwks import ProviderKeys
from app.tenants.store import MemoryTenantStore, TenantStore
from app.tenants.tokens import TokenRules, TokenVerifier, looks_like_token
from app.tenants.vault import MasterKey
from tests.support.clocks import Clock
from tests.support.tenant_databases import opened_store
from tests.support.tenants import KEY, make_tenant
from tests.support.tokens import AUDIENCE, ISSUER, ec_key, public_jwk, token

LIFETIME = 600.0


class Document:
    """What the provider publishes."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)

    async def __call__(self) -> bytes:
        return json.dumps({"keys": self.keys}).encode()


def verifier_of(document: Document, clock: Clock, tenants: TenantStore | None = None, **options: Any) -> TokenVerifier:
    rules = TokenRules(ISSUER, AUDIENCE, ["ES256"])
    keys = ProviderKeys(document, lifetime=LIFETIME, clock=clock)
    return TokenVerifier(rules, keys, tenants or MemoryTenantStore([make_tenant()]), MasterKey(b"k" * 32), **options)


async def test_what_a_key_verified_ends_with_the_key() -> None:
    clock, key = Clock(), ec_key()
    document = Document(public_jwk(key, "one"))
    verifier = verifier_of(document, clock)
    presented = token(key, algorithm="ES256")
    first = await verifier.identify(presented)
    again = await verifier.identify(presented)
    assert first is not None
    assert again is not None
    assert first.key is again.key
    document.keys = [public_jwk(ec_key(), "one")]
    assert await verifier.identify(presented) is not None, "the keys are not fetched again yet"
    clock.now += LIFETIME
    assert await verifier.identify(presented) is None


async def test_memory_is_bounded() -> None:
    key = ec_key()
    verifier = verifier_of(Document(public_jwk(key, "one")), Clock(), most=2)
    tokens = [token(key, algorithm="ES256", sub=str(number)) for number in range(4)]
    first = await verifier.identify(tokens[0])
    for presented in tokens:
        assert await verifier.identify(presented) is not None
    again = await verifier.identify(tokens[0])
    assert first is not None
    assert again is not None
    assert first.key == again.key
    assert first.key is not again.key


async def test_a_subject_does_not_stand_in_a_keys_id() -> None:
    key = ec_key()
    verifier = verifier_of(Document(public_jwk(key, "one")), Clock())
    ids = []
    for subject in ("anna@example.com", "anna@example.com", "bert@example.com"):
        found = await verifier.identify(token(key, algorithm="ES256", sub=subject))
        assert found is not None
        ids.append(found.key.id)
    assert ids[0] == ids[1] != ids[2]
    assert all(each.startswith("jwt-") and "anna" not in each for each in ids)


async def test_a_database_is_not_asked_for_what_it_cannot_hold(database_url: str) -> None:
    key = ec_key()
    async with opened_store(database_url) as tenants:
        verifier = verifier_of(Document(public_jwk(key, "one")), Clock(), tenants)
        for tenant_id in ("ac\0me", "ac\ud800me"):
            assert await verifier.identify(token(key, algorithm="ES256", tenant=tenant_id)) is None


@pytest.mark.parametrize(
    ("presented", "expected"), [("a.b.c", True), ("a.b", False), ("umg_a.b.c", False), (KEY, False)]
)
def test_what_looks_like_a_token(presented: str, expected: bool) -> None:
    assert looks_like_token(presented) is expected


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner)), st.data())
async def test_nothing_but_a_good_token_gets_in(header: object, data: st.DataObject) -> None:
    """Whatever stands in the three parts, the answer is no, and never an error."""
    parts = [json.dumps(header).encode(), data.draw(st.binary()), data.draw(st.binary())]
    presented = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    assert await verifier_of(Document(public_jwk(ec_key(), "one")), Clock()).identify(presented) is None
