"""Idempotency keys, as steps of transactions; their answers stand encrypted."""

import json
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.storage.database.statements import Statement, Steps
from app.storage.writes.models import KeyClaim, KeyUse, StoredAnswer
from app.tenants.vault import MasterKey

DAY = 86_400.0
LARGE = 64 * 1024
"""Answers beyond so many bytes are compressed; those that stay larger are not kept."""

_NONCE = 12
_ALIVE = "EXISTS (SELECT 1 FROM leases WHERE leases.name = idempotency_keys.holder AND leases.expires_at > {now})"
_FIND = (
    f"SELECT head, body, request_id, resumable, {_ALIVE}, scopes, status, answer FROM idempotency_keys"
    " WHERE tenant = :tenant AND key = :key AND expires_at > {now}"
)
_CLAIM = (
    "INSERT INTO idempotency_keys (tenant, key, head, request_id, holder, resumable, size, created_at, expires_at)"
    " VALUES (:tenant, :key, :head, :request_id, :holder, :resumable, 0, {now}, {now} + :retention)"
    " ON CONFLICT (tenant, key) DO UPDATE SET head = excluded.head, body = NULL, request_id = excluded.request_id,"
    " holder = excluded.holder, resumable = excluded.resumable, scopes = NULL, status = NULL, answer = NULL, size = 0,"
    " created_at = excluded.created_at, expires_at = excluded.expires_at"
    " WHERE idempotency_keys.expires_at <= {now} RETURNING 1"
)
_UNANSWERED = " WHERE tenant = :tenant AND key = :key AND request_id = :request_id AND status IS NULL"
_FINISH = (
    "UPDATE idempotency_keys SET body = :body, scopes = :scopes, status = :status, answer = :answer, size = :size,"
    f" expires_at = {{now}} + :retention{_UNANSWERED}"
)
_OURS = " AND holder = :holder RETURNING 1"
_NOBODYS = f" AND NOT {_ALIVE} RETURNING 1"


class AnswerSealer:
    """Encrypts answers so that only the same tenant's answer of the same key can be read from them."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, tenant: str, key: str, answer: StoredAnswer) -> bytes | None:
        """Return an answer as it is kept; None if it is too large for that."""
        plain = json.dumps([answer.status, answer.headers]).encode() + b"\n" + answer.body
        packed = b"-" + plain
        if len(packed) > LARGE:
            packed = b"z" + zlib.compress(plain, 6)
        if len(packed) > LARGE:
            return None
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher(tenant).encrypt(nonce, packed, key.encode())

    def unseal(self, tenant: str, key: str, sealed: bytes) -> StoredAnswer | None:
        """Return an answer; None if it was sealed with a master key that is not at hand."""
        try:
            packed = self._cipher(tenant).decrypt(sealed[:_NONCE], sealed[_NONCE:], key.encode())
        except InvalidTag:
            return None
        plain = zlib.decompress(packed[1:]) if packed[:1] == b"z" else packed[1:]
        line, _, body = plain.partition(b"\n")
        status, headers = json.loads(line)
        return StoredAnswer(status, tuple((name, value) for name, value in headers), body)

    def _cipher(self, tenant: str) -> AESGCM:
        cipher = self._ciphers.get(tenant)
        if cipher is None:
            if len(self._ciphers) > 1000:
                self._ciphers.clear()
            cipher = self._ciphers[tenant] = AESGCM(self._master_key.derive("idempotency", tenant))
        return cipher


def finding(tenant: str, key: str) -> Statement:
    """Ask for the request that has a key."""
    return Statement(_FIND, {"tenant": tenant, "key": key})


def key_use(rows: Sequence[Sequence[Any]], tenant: str, key: str, sealer: AnswerSealer) -> KeyUse | None:
    """Return the request that `finding` has found, if there is one."""
    if not rows:
        return None
    head, body, request_id, resumable, alive, scopes, status, sealed = rows[0]
    answer = None if sealed is None else sealer.unseal(tenant, key, bytes(sealed))
    needed = frozenset((scopes or "").split())
    return KeyUse(head, body, request_id, bool(resumable), bool(alive), needed, status, answer)


def claiming(claim: KeyClaim, *, holder: str, resumable: bool, retention: float) -> Statement:
    """Take a key for a request; brings a row if it was free."""
    values = {
        "tenant": claim.tenant,
        "key": claim.key,
        "head": claim.head,
        "request_id": claim.request_id,
        "holder": holder,
        "resumable": int(resumable),
        "retention": retention,
    }
    return Statement(_CLAIM, values)


def finishing(
    claim: KeyClaim, sealed: bytes | None, *, status: int, body: str, scopes: frozenset[str], holder: str | None,
    retention: float,
) -> Statement:  # fmt: skip
    """Keep the answer of a request; brings a row if the key was still that request's.

    Args:
        holder: the process that holds the key; None where no living one must.
    """
    values = {
        **_of(claim, holder),
        "body": body,
        "scopes": " ".join(sorted(scopes)),
        "status": status,
        "answer": sealed,
        "size": len(sealed or b""),
        "retention": retention,
    }
    return Statement(_FINISH + (_NOBODYS if holder is None else _OURS), values)


def releasing(claim: KeyClaim, holder: str) -> Statement:
    """Forget a request: nothing was sent, and its key may be used again."""
    return Statement(f"DELETE FROM idempotency_keys{_UNANSWERED}{_OURS}", _of(claim, holder))


def abandoning(claim: KeyClaim, holder: str) -> Statement:
    """Say that nobody is at work under a key any more, and that what was sent is not known."""
    return Statement(f"UPDATE idempotency_keys SET holder = ''{_UNANSWERED}{_OURS}", _of(claim, holder))


def _of(claim: KeyClaim, holder: str | None) -> dict[str, Any]:
    values = {"tenant": claim.tenant, "key": claim.key, "request_id": claim.request_id}
    return values if holder is None else {**values, "holder": holder}


def expiring(most: int) -> Steps[int]:
    """Delete some of the keys whose day is over; return how many."""
    chosen = "SELECT tenant, key FROM idempotency_keys WHERE expires_at <= {now} LIMIT :most"
    sql = f"DELETE FROM idempotency_keys WHERE (tenant, key) IN ({chosen}) RETURNING 1"
    (gone,) = yield [Statement(sql, {"most": most})]
    return len(gone)


def kept_of(tenant: str) -> Steps[tuple[int, int]]:
    """Return how many answers of a tenant are kept, and how many bytes they have."""
    sql = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM idempotency_keys"
    (found,) = yield [Statement(f"{sql} WHERE tenant = :tenant AND size > 0", {"tenant": tenant})]
    return found[0][0], int(found[0][1])


def dropping(tenant: str, most: int) -> Steps[int]:
    """Drop some of the oldest answers of a tenant, not what is known of their requests; return how many."""
    chosen = (
        "SELECT tenant, key FROM idempotency_keys WHERE tenant = :tenant AND size > 0 ORDER BY created_at LIMIT :most"
    )
    sql = f"UPDATE idempotency_keys SET answer = NULL, size = 0 WHERE (tenant, key) IN ({chosen}) RETURNING 1"
    (gone,) = yield [Statement(sql, {"tenant": tenant, "most": most})]
    return len(gone)
