"""Which tenants have metrics of their own: a bounded number, so that the metrics stay bounded."""

from app.telemetry.workers import Workers

OTHER = "other"
_FILE = "tenants"


class TenantLabels:
    """Gives tenants their labels: their ids to the first ones seen, the same ones in all workers; `other` to the rest.

    Args:
        most: how many tenants have one of their own.
        workers: the other processes that are asked for the same metrics, if there are any.
    """

    def __init__(self, most: int, workers: Workers | None = None) -> None:
        self._most = most
        self._workers = workers
        self._own: set[str] = set()

    def of(self, tenant: str) -> str:
        """Return a tenant's label."""
        if tenant not in self._own and len(self._own) < self._most:
            self._take(tenant)
        return tenant if tenant in self._own else OTHER

    def _take(self, tenant: str) -> None:
        if self._workers is None:
            self._own.add(tenant)
            return
        with self._workers.shared_list(_FILE) as file:
            self._own.update(file.read().split())
            if len(self._own) < self._most and tenant not in self._own:
                file.write(f"{tenant}\n")
                self._own.add(tenant)
