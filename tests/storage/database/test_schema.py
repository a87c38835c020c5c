"""Times in the database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from app.storage.database.schema import UtcDateTime

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DIALECT = SQLiteDialect()


@pytest.mark.parametrize("value", [NOON, NOON.astimezone(timezone(timedelta(hours=8)))])
def test_times_are_written_in_utc(value: datetime) -> None:
    written = UtcDateTime().process_bind_param(value, DIALECT)
    assert (written, written and written.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("value", [NOON.replace(tzinfo=None), NOON, NOON.astimezone(timezone(timedelta(hours=8)))])
def test_times_are_read_in_utc(value: datetime) -> None:
    read = UtcDateTime().process_result_value(value, DIALECT)
    assert (read, read and read.tzinfo) == (NOON, UTC)


def test_no_time_stays_none() -> None:
    assert UtcDateTime().process_bind_param(None, DIALECT) is None
    assert UtcDateTime().process_result_value(None, DIALECT) is None


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), DIALECT)
