"""The master keys that the settings name, or one that is made."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import structlog

from app.errors import DatabaseError
from app.settings import Settings
from app.tenants.master_keys import MasterKey, MasterKeys, generate_master_key
from app.wiring.folders import make_folder

log = structlog.get_logger(__name__)

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
