"""What tells one tenant's credentials from others, without telling what they are."""

import hashlib
import hmac

from app.tenants.master_keys import MasterKey
from app.tenants.models import Tenant, UpstreamAccount

_MOST = 20_000


class Fingerprints:
    """Computes a keyed hash of a tenant's U-Mail login and remembers it as long as the login stays the same.

    Args:
        master_key: without it, nobody can try passwords against a fingerprint.
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._known: dict[str, tuple[UpstreamAccount, str]] = {}

    def of(self, tenant: Tenant) -> str:
        """Return the fingerprint of where and as whom a tenant logs in."""
        known = self._known.get(tenant.id)
        if known is not None and known[0] is tenant.upstream:
            return known[1]
        if len(self._known) >= _MOST:
            self._known.clear()
        computed = self._compute(tenant)
        self._known[tenant.id] = tenant.upstream, computed
        return computed

    def _compute(self, tenant: Tenant) -> str:
        account = tenant.upstream
        login = "\0".join([account.base_url, account.auth, account.username, account.password.get_secret_value()])
        key = self._master_key.derive("credentials", tenant.id)
        return hmac.new(key, login.encode(), hashlib.sha256).hexdigest()
