"""Where files are kept."""

from pathlib import Path

from app.errors import DatabaseError


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
