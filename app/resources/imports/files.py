"""What an import hands to the platform."""

from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows of a body.

    Args:
        accepted: rows written to the file.
        duplicates: those of them whose address stands in an earlier row.
        skipped: rows left out.
        skipped_lines: the lines of the first of those.
    """

    accepted: int
    duplicates: int
    skipped: int
    skipped_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file of contacts in the platform's line form.

    Args:
        name: its name, which the platform's log of imports shows.
        content_type: its media type.
        content: its content, which whoever opened it closes.
        size: how many bytes that is.
        counts: what became of the rows it was made from; None for a file passed on as it is.
    """

    name: str
    content_type: str
    content: BinaryIO = field(repr=False)
    size: int
    counts: RowCounts | None = None
