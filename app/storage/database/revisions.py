"""Which step of its schema a database is at, found out without loading what carries steps out."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

VERSION_TABLE = "alembic_version"
"""Where a database says at which step it is."""
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def newest_revision() -> str:
    """Return the last step that this release knows; steps are numbered, and their files begin with the number."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def is_up_to_date(connection: Connection) -> bool:
    """Tell whether a database has the schema that this release expects."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 - a constant
    return list(found) == [newest_revision()]
