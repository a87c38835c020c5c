"""Database URLs as operators write them."""

from pathlib import Path

import pytest

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.engine import file_of, parse_url

PASSWORD = "s3cr:t/p@ss"
QUOTED = "s3cr%3At%2Fp%40ss"


@pytest.mark.parametrize(
    ("text", "driver", "name"),
    [
        ("sqlite:///gateway.db", "sqlite+aiosqlite", "gateway.db"),
        ("sqlite:////var/lib/gateway.db", "sqlite+aiosqlite", "/var/lib/gateway.db"),
        ("postgresql://user@db.example:5433/gateway", "postgresql+psycopg_async", "gateway"),
        ("postgres://user@db.example/gateway", "postgresql+psycopg_async", "gateway"),
        ("postgresql://user@/gateway?host=/run/postgresql", "postgresql+psycopg_async", "gateway"),
    ],
)
def test_drivers(text: str, driver: str, name: str) -> None:
    url = parse_url(text)
    assert (url.drivername, url.database) == (driver, name)


def test_the_file_of_a_url() -> None:
    assert file_of(parse_url("sqlite:////var/lib/gateway.db")) == Path("/var/lib/gateway.db")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("gateway.db", "cannot be read"),
        (f"postgresql://user:{QUOTED}@host:port/name", "cannot be read"),
        (f"mysql://user:{QUOTED}@host/name", "must begin with"),
        (f"postgresql+psycopg2://user:{QUOTED}@host/name", "must begin with"),
        ("sqlite://", "names a file"),
        ("sqlite:///", "names a file"),
        ("sqlite:///:memory:", "names a file"),
        ("sqlite:///file:gateway?mode=memory", "names a file"),
        ("sqlite://gateway.db/", "names a file"),
        ("sqlite:///gateway.db?mode=ro", "names a file"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(DatabaseError, match=reason) as refused:
        Database(text)
    assert PASSWORD not in str(refused.value)
    assert QUOTED not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_repr_shows_no_password() -> None:
    shown = repr(Database(f"postgresql://user:{QUOTED}@host/name"))
    assert "host/name" in shown
    assert PASSWORD not in shown
    assert QUOTED not in shown
