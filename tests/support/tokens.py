"""An identity provider: keys, tokens, and a real server of its public keys."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.servers import read_request, serving

ISSUER = "https://idp.example/"
AUDIENCE = "umail-gateway"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: PrivateKey, kid: str, **fields: Any) -> dict[str, Any]:
    """Return the public half as the provider publishes it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = json.loads(RSAAlgorithm.to_jwk(public))
    else:
        jwk = json.loads(ECAlgorithm.to_jwk(public))
    return {**jwk, "kid": kid, "use": "sig", **fields}


def token(
    key: Any, *, kid: str | None = "one", algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """Sign a token that is good, except for what is named; a claim that is None is left out."""
    now = int(time.time())
    given = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna@example.com",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "tenant": "acme",
        "scope": "read write",
        **claims,
    }
    headers = {**({"kid": kid} if kid else {}), **(header or {})}
    payload = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


@dataclass
class Provider:
    """What the provider publishes, and how it answers.

    Args:
        keys: the keys it publishes.
        reply: the whole reply instead, if it is to be another.
        fetches: how often it was asked.
    """

    keys: list[dict[str, Any]] = field(default_factory=list)
    reply: bytes | None = None
    fetches: int = 0
    url: str = ""
    hanging: asyncio.Event | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        self.fetches += 1
        if self.hanging is not None:
            await self.hanging.wait()
        body = json.dumps({"keys": self.keys}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        writer.write(self.reply if self.reply is not None else head + body)
        await writer.drain()


@asynccontextmanager
async def providing(*keys: dict[str, Any]) -> AsyncIterator[Provider]:
    """Run a provider."""
    provider = Provider(list(keys))
    async with serving(provider) as url:
        provider.url = url
        yield provider
