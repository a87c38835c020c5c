"""Tenants from a YAML file that is read again whenever it, or a password file it names, changes.

A broken edit is refused as a whole: it is logged and the tenants read before stay in force.
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from app.tasks import beside
from app.tenants.destinations import Destinations
from app.tenants.document import TenantsFile, TenantsFileError
from app.tenants.models import Tenant
from app.tenants.store import Identity, KeyRing

log = structlog.get_logger(__name__)

_NAMED = 5

Signature = tuple[tuple[int, int, int] | None, ...]


class FileTenantStore:
    """A `TenantStore` over a tenants file, watched for changes."""

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str] | None = None,
        *,
        interval: float = 1.0,
        destinations: Destinations | None = None,
    ) -> None:
        """Read `path` once; `${NAME}` in it refers to `environment`, the process's own by default.

        The files are polled, because change notifications do not reach across network file systems nor follow the
        links by which orchestrators swap mounted secrets.

        Raises:
            TenantsFileError: the file cannot be used; a gateway must not start with it.
        """
        self._path = path
        self._document = TenantsFile(path, os.environ if environment is None else environment)
        self._interval = interval
        self._destinations = destinations or Destinations()
        self._files: tuple[Path, ...] = (path,)
        self._signature: Signature = ()
        self._ring = KeyRing(())
        self._load()

    async def identify(self, key: str) -> Identity | None:
        return self._ring.find(key)

    async def find(self, tenant_id: str) -> Tenant | None:
        return self._ring.tenant(tenant_id)

    async def with_events(self) -> Mapping[str, int]:
        """Return the ids of tenants that want events, with their requests a minute."""
        return self._ring.with_events()

    def _load(self) -> None:
        # The signature is taken first: a change while the file is read is then seen as a change the next time.
        self._signature = _signature(self._files)
        with _without_collections():
            loaded = self._document.load()
            refusals = [
                f"{self._path}: tenant {tenant.id}, {refusal}"
                for tenant in loaded.changed
                if (refusal := self._destinations.refusal(tenant))
            ]
            if refusals:
                raise TenantsFileError("\n".join(refusals))
            ring = KeyRing(loaded.tenants)
        if loaded.files != self._files:
            self._files, self._signature = loaded.files, _signature(loaded.files)
        self._ring = ring
        keys = sum(len(tenant.keys) for tenant in loaded.tenants)
        log.info("tenants_loaded", tenants=len(loaded.tenants), keys=keys, changed=len(loaded.changed))
        in_clear = [each.id for each in loaded.changed if each.upstream.sends_password_in_clear]
        if in_clear:
            log.warning(
                "password_sent_in_clear",
                tenants=in_clear[:_NAMED],
                count=len(in_clear),
                reason="the base URL is plain http",
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(self._watch()):
            yield

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            if await asyncio.to_thread(_signature, self._files) != self._signature:
                # In a thread, because thousands of tenants take a while.
                await asyncio.to_thread(self._reload)

    def _reload(self) -> None:
        try:
            self._load()
        except TenantsFileError as error:
            log.error("tenants_file_refused", reason=str(error))
        except Exception:
            log.exception("tenants_file_refused", reason="unexpected")


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the garbage collector from looking through a large document again and again, stopping all requests."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _signature(files: Iterable[Path]) -> Signature:
    return tuple(_stat(file) for file in files)


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
