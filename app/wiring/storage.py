"""What survives a restart, the tenants and the journal of sends, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from app.errors import DatabaseError
from app.gateway.clock import PlatformClock
from app.settings import Settings
from app.storage.database.database import Database
from app.storage.tenants.repository import TenantRepository
from app.storage.writes.store import WriteStore
from app.tenants.destinations import Destinations
from app.tenants.file import FileTenantStore
from app.tenants.master_keys import MasterKeys
from app.tenants.store import TenantStore
from app.wiring.folders import make_folder
from app.wiring.keys import build_master_keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Storage:
    """Tenants and writes, which may share a database.

    Args:
        tenants: whom keys stand for.
        repository: changes the tenants, if they are kept in the database.
        writes: the journal of sends, idempotency keys and leases.
        database: where all of it is kept.
        folder: where the database's file is by default, made if it is not there.
    """

    tenants: TenantStore
    repository: TenantRepository | None
    writes: WriteStore
    database: Database
    folder: Path | None = None

    async def check(self) -> bool:
        """Tell whether the database can be used."""
        try:
            await self.writes.check()
        except DatabaseError:
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep everything usable while the context is open.

        Raises:
            DatabaseError: the database cannot be used, or its secrets cannot be decrypted.
        """
        async with AsyncExitStack() as stack:
            if self.folder is not None:
                make_folder(self.folder)
            await stack.enter_async_context(self.database.running())
            await stack.enter_async_context(self.writes.running())
            await stack.enter_async_context(self.tenants.running())
            yield


def build_storage(
    settings: Settings,
    master_keys: MasterKeys,
    clock: PlatformClock,
    *,
    destinations: Destinations,
    tenants: TenantStore | None = None,
    database: Database | None = None,
) -> Storage:
    """Build what the settings ask for, except what is given.

    Raises:
        DatabaseError: the database's URL cannot be used.
        TenantsFileError: the tenants file cannot be used.
    """
    in_database = tenants is None and settings.tenants_in_database
    folder = settings.data_dir if database is None and settings.database_url is None else None
    database = database or Database(settings.database())
    repository: TenantRepository | None = None
    if in_database:
        from app.storage.tenants.store import DatabaseTenantStore  # noqa: PLC0415 - the library of its vault takes 6 MB
        from app.tenants.vault import Vault  # noqa: PLC0415

        tenants = kept = DatabaseTenantStore(database, Vault(master_keys))
        repository = kept.repository
    return Storage(
        tenants or file_tenants(settings, destinations),
        repository,
        WriteStore(database, master_keys.current, now=clock.now, journal_kept=timedelta(days=settings.journal_days)),
        database,
        folder,
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
