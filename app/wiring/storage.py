"""What survives a restart, the tenants and the journal of sends, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from app.gateway.clock import PlatformClock
from app.settings import Settings
from app.storage.database.database import Database
from app.storage.journal.database import DatabaseJournal
from app.storage.journal.models import Journal, JournalUnavailable
from app.storage.tenants.repository import TenantRepository
from app.tenants.destinations import Destinations
from app.tenants.file import FileTenantStore
from app.tenants.master_keys import MasterKeys
from app.tenants.store import TenantStore
from app.wiring.folders import make_folder
from app.wiring.keys import build_master_keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Storage:
    """Tenants and journal, which may share a database.

    Args:
        tenants: whom keys stand for.
        repository: changes the tenants, if they are kept in the database.
        journal: the journal of sends.
        retention: for how long the journal remembers attempts; older ones are forgotten at start.
        database: the database, if anything is kept in it.
    """

    tenants: TenantStore
    repository: TenantRepository | None
    journal: Journal
    retention: timedelta
    database: Database | None

    async def check(self) -> bool:
        """Tell whether the journal can be used."""
        try:
            await self.journal.check()
        except JournalUnavailable:
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep everything usable while the context is open.

        Raises:
            DatabaseError: the database cannot be used, or its secrets cannot be decrypted.
        """
        async with AsyncExitStack() as stack:
            if self.database is not None:
                await stack.enter_async_context(self.database.running())
            await stack.enter_async_context(self.journal.running())
            await self._forget_old()
            await stack.enter_async_context(self.tenants.running())
            yield

    async def _forget_old(self) -> None:
        try:
            await self.journal.forget(datetime.now(UTC) - self.retention)
        except JournalUnavailable:
            log.warning("journal_not_pruned")


def build_storage(
    settings: Settings,
    master_keys: MasterKeys,
    clock: PlatformClock,
    *,
    destinations: Destinations,
    tenants: TenantStore | None = None,
    journal: Journal | None = None,
) -> Storage:
    """Build what the settings ask for, except what is given.

    Raises:
        DatabaseError: the database's URL cannot be used.
        TenantsFileError: the tenants file cannot be used.
    """
    in_database = tenants is None and settings.tenants_in_database
    used = in_database or journal is None
    database = _database(settings) if used else Database(settings.database())
    repository: TenantRepository | None = None
    if in_database:
        from app.storage.tenants.store import DatabaseTenantStore  # noqa: PLC0415 - the library of its vault takes 6 MB
        from app.tenants.vault import Vault  # noqa: PLC0415

        tenants = kept = DatabaseTenantStore(database, Vault(master_keys))
        repository = kept.repository
    return Storage(
        tenants or file_tenants(settings, destinations),
        repository,
        journal or DatabaseJournal(database, clock.now),
        timedelta(days=settings.journal_days),
        database if used else None,
    )


def file_tenants(settings: Settings, destinations: Destinations) -> FileTenantStore:
    """Read the tenants file that the settings name.

    Raises:
        TenantsFileError: it cannot be used.
    """
    return FileTenantStore(Path(settings.tenants_url.removeprefix("file:")), destinations=destinations)


async def prepare(settings: Settings) -> None:
    """Bring the database to the form this release needs, see whether it can be decrypted, and close it again.

    Raises:
        DatabaseError: it cannot be used.
    """
    if settings.tenants_in_database:
        async with administration(settings):
            return
    async with _database(settings).running():
        return


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[TenantRepository]:
    """Open the database's tenants, to change them outside of a gateway.

    Raises:
        DatabaseError: the database cannot be used, or its secrets cannot be decrypted.
    """
    from app.storage.tenants.repository import TenantRepository  # noqa: PLC0415 - the library of its vault is big
    from app.tenants.vault import Vault  # noqa: PLC0415

    vault = Vault(build_master_keys(settings))
    database = _database(settings)
    async with database.running():
        repository = TenantRepository(database, vault)
        await repository.check()
        yield repository


def _database(settings: Settings) -> Database:
    database = Database(settings.database())
    if settings.database_url is None:
        make_folder(settings.data_dir)
    return database
