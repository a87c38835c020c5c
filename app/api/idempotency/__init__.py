"""Idempotency keys: a request that is repeated is carried out once (IETF draft httpapi-idempotency-key-header)."""
