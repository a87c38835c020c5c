"""Database URLs as operators write them, turned into what SQLAlchemy's asynchronous drivers need."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from app.errors import DatabaseError

_POSTGRES = "postgresql+psycopg_async"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": _POSTGRES, "postgres": _POSTGRES}


def parse_url(text: str) -> URL:
    """Read a database URL.

    Args:
        text: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, which may name a folder of Unix
            sockets by `?host=`.

    Raises:
        DatabaseError: it is none of these.
    """
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise DatabaseError("The database URL cannot be read.") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DatabaseError("The database URL must begin with sqlite:/// or postgresql://.")
    if is_sqlite(url):
        _check_file(url)
    return url.set(drivername=driver)


def is_sqlite(url: URL) -> bool:
    """Tell whether a URL names an SQLite file."""
    return url.get_backend_name() == "sqlite"


def file_of(url: URL) -> Path:
    """Return the file that an SQLite URL names."""
    return Path(url.database or "")


def _check_file(url: URL) -> None:
    if url.host or url.query or not url.database or url.database.startswith((":", "file:")):
        raise DatabaseError("An SQLite URL names a file: sqlite:///relative.db or sqlite:////absolute.db.")
