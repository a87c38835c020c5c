"""Reading a reply as an export does, cut wherever a test wants it."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from app.upstream.document import Document, Drift
from app.upstream.exports import ExportReader
from app.upstream.sources import Source

SHANGHAI = ZoneInfo("Asia/Shanghai")


def read_export(
    source: Source, parts: bytes | Iterable[bytes], *, content_type: str = "", max_length: int = 65_536
) -> tuple[list[dict[str, Any]], set[Drift]]:
    """Return a reply's rows and its drift.

    Raises:
        UnexpectedForm, GatewayError: the reply is no export, or not a whole one.
    """
    document = Document("", None, SHANGHAI)
    reader = ExportReader(
        source, operation="exports.test", content_type=content_type, document=document, max_length=max_length
    )
    rows: list[dict[str, Any]] = []

    def take() -> None:
        while (batch := reader.take()) is not None:
            rows.extend(batch)

    for part in [parts] if isinstance(parts, bytes) else parts:
        reader.feed(part)
        take()
    reader.end()
    take()
    return rows, document.drift
