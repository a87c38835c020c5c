"""What goes wrong with a database, without its password."""

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

FAILURES = (SQLAlchemyError, OSError, TimeoutError)
"""What using a database raises when it cannot be used, whatever the reason."""


def describe(failure: Exception, url: URL) -> str:
    """Return a failure's reason in one line, without the password of `url`.

    Args:
        failure: what SQLAlchemy, the driver or the operating system raised.
        url: the database's URL.
    """
    if isinstance(failure, TimeoutError):
        return "it does not answer in time"
    cause = failure.orig if isinstance(failure, DBAPIError) else failure
    reason = " ".join(str(cause).split()) or type(cause).__name__
    return reason.replace(url.password, "***") if url.password else reason
