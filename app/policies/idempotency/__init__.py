"""Idempotency keys of clients: a request that is repeated with its key gets the first answer, and does nothing twice.

The keys and their meaning are those of the IETF draft `draft-ietf-httpapi-idempotency-key-header`.
"""

from app.policies.idempotency.claims import Claim
from app.policies.idempotency.memory import MemoryIdempotencyStore
from app.policies.idempotency.models import ClaimLost, Phase, Record, StoredAnswer, StoreUnavailable
from app.policies.idempotency.store import IdempotencyStore

__all__ = [
    "Claim",
    "ClaimLost",
    "IdempotencyStore",
    "MemoryIdempotencyStore",
    "Phase",
    "Record",
    "StoreUnavailable",
    "StoredAnswer",
]
