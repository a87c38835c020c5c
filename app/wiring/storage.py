"""What survives a restart, the tenants and the journal of sends, as the settings say."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from app.errors import DatabaseError
from app.gateway.clock import PlatformClock
from app.settings import Settings
from app.storage.database.database import Database
from app.storage.tenants.repository import TenantRepository
from app.storage.tenants.store import DatabaseTenantStore
from app.storage.usage import UsageCounter
from app.storage.writes.store import WriteStore
from app.tenants.destinations import Destinations
from app.tenants.file import FileTenantStore
from app.tenants.store import TenantStore
from app.tenants.vault import MasterKey, MasterKeys, Vault, generate_master_key

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Storage:
    """Tenants and writes, which may share a database; `folder` is made if it is not there."""

    tenants: TenantStore
    repository: TenantRepository | None
    writes: WriteStore
    usage: UsageCounter
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
            await stack.enter_async_context(self.usage.running())
            await stack.enter_async_context(self.tenants.running())
            yield


def build_destinations(settings: Settings) -> Destinations:
    """Build what tells where platforms and relays may be."""
    return Destinations(allowed=settings.allowed_upstreams or (), refused=settings.refused_upstreams or ())


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
        tenants = kept = DatabaseTenantStore(database, Vault(master_keys))
        repository = kept.repository
    kept_for = timedelta(days=settings.journal_days)
    return Storage(
        tenants or file_tenants(settings, destinations),
        repository,
        WriteStore(database, master_keys.current, now=clock.now, journal_kept=kept_for),
        UsageCounter(database, kept=kept_for, now=clock.now),
        database,
        folder,
    )


def file_tenants(settings: Settings, destinations: Destinations) -> FileTenantStore:
    """Read the tenants file that the settings name; raises `TenantsFileError` where it cannot be used."""
    return FileTenantStore(Path(settings.tenants_url.removeprefix("file:")), destinations=destinations)


async def prepare(settings: Settings) -> None:
    """Bring the database to the form this release needs, see whether it can be decrypted, and close it again.

    Raises:
        DatabaseError: it cannot be used.
    """
    if settings.tenants_in_database:
        async with administration(settings):
            return
    async with opened_database(settings):
        return


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[TenantRepository]:
    """Open the database's tenants, to change them outside of a gateway.

    Raises:
        DatabaseError: the database cannot be used, or its secrets cannot be decrypted.
    """
    vault = Vault(build_master_keys(settings))
    async with opened_database(settings) as database:
        repository = TenantRepository(database, vault)
        await repository.check()
        yield repository


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database outside of a gateway.

    Raises:
        DatabaseError: it cannot be used.
    """
    database = _database(settings)
    async with database.running():
        yield database


def _database(settings: Settings) -> Database:
    database = Database(settings.database())
    if settings.database_url is None:
        make_folder(settings.data_dir)
    return database


_FILE = "master.key"


def build_master_keys(settings: Settings) -> MasterKeys:
    """Return the master keys.

    Beside the SQLite file under `data_dir` a missing one is made and kept. Where a `DATABASE_URL` holds no tenants it
    lives as long as the process: answers under idempotency keys cannot be given again after a restart then.

    Raises:
        DatabaseError: there is none and none may be made, or the file it is kept in cannot be read or written.
    """
    if settings.master_key is not None:
        return MasterKeys.parse(settings.master_key.get_secret_value())
    if settings.master_key_file is not None:
        return _read(settings.master_key_file)
    if settings.database_url is not None and not settings.tenants_in_database:
        return MasterKeys(MasterKey.random())
    if settings.database_url is not None:
        raise DatabaseError(
            "MASTER_KEY is needed where tenants are kept in a DATABASE_URL: `umail-gateway keys generate-master` makes"
            " one, and every replica needs the same."
        )
    path = make_folder(settings.data_dir) / _FILE
    if not path.exists():
        _make(path)
    return _read(path)


def _read(path: Path) -> MasterKeys:
    try:
        return MasterKeys.parse(path.read_text(encoding="ascii"))
    except OSError as error:
        raise DatabaseError(f"The master key {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise DatabaseError(f"The file {path} does not hold a master key.") from None


def _make(path: Path) -> None:
    # Linked into its place whole, and not over another one: processes that start together then have the same key.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        with draft.open("w", encoding="ascii") as file:
            file.write(f"{generate_master_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
            log.warning(
                "master_key_made", file=str(path), advice="without it the tenants' secrets are lost: keep a copy"
            )
    except OSError as error:
        raise DatabaseError(f"The master key {path} cannot be written: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)


def make_folder(folder: Path) -> Path:
    """Make a folder that is not there yet; return its path in full.

    Raises:
        DatabaseError: it cannot be made.
    """
    expanded = folder.expanduser()
    try:
        expanded.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"The folder {expanded} cannot be made: {error.strerror}.") from None
    return expanded
