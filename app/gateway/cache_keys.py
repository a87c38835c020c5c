"""Where a read's answer is kept: what its key is made of."""

import hashlib
import json
from typing import Any

from app.gateway.operation import Operation
from app.policies.cache.model import CacheKey
from app.tenants.master_keys import Fingerprints
from app.tenants.models import Tenant
from app.upstream.envelope import Parameters


class CacheKeys:
    """Decides where the answer to a read is kept.

    The key is made of the tenant, the fingerprint of its credentials, the operation, the parameters it sends and the
    version of the representation, and of nothing else: what a client writes into a header cannot reach it.

    Args:
        fingerprints: tells logins apart.
        representation: the version of the public models; while two releases run, each keeps to its own answers.
    """

    def __init__(self, fingerprints: Fingerprints, representation: str) -> None:
        self._fingerprints = fingerprints
        self._representation = representation

    def of(self, operation: Operation[Any, Any], parameters: Parameters, tenant: Tenant) -> CacheKey:
        """Return where the answer to one read is kept."""
        parts = [
            self._representation,
            tenant.id,
            self._fingerprints.of(tenant),
            operation.name,
            parameters.query,
            parameters.form,
        ]
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return CacheKey(tenant.id, hashlib.sha256(canonical.encode()).hexdigest(), tuple(sorted(operation.tags)))
