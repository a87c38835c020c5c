"""From the text of a body to the file to upload, a few milliseconds at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from app.resources.imports.checking import RowChecker
from app.resources.imports.rows import Row, RowFormat, TextWindow

_SLICE = 0.002
_FLUSH = 256 * 1024


async def write_rows(form: RowFormat, texts: AsyncIterator[str], checker: RowChecker, file: BinaryIO) -> int:
    """Read all rows, and write those that pass to a file; returns its size.

    Rows are checked on the event loop, in slices after which everyone else has a turn: a thread would contend for the
    interpreter and keep the loop waiting for longer. The file, which may be on a disk, is written in a thread.

    Args:
        form: what the rows are written in.
        texts: the text, in pieces.
        checker: checks rows.
        file: takes the lines, in UTF-8.

    Raises:
        GatewayError: the body cannot be read.
    """
    window = TextWindow()
    rows = form.rows(window)
    lines = _Lines(file)
    while not _take(rows, window, checker, lines):
        await asyncio.sleep(0)
        await lines.flush(_FLUSH)
        if window.hungry:
            await _feed(window, texts)
    return await lines.flush()


def _take(rows: Iterator[Row | None], window: TextWindow, checker: RowChecker, lines: "_Lines") -> bool:
    """Check rows until they end, which is told, or the window is hungry, or time is up."""
    end = time.perf_counter() + _SLICE
    for row in rows:
        line = checker.check(row) if row else None
        if line is not None:
            lines.add(line)
        if window.hungry or time.perf_counter() > end:
            return False
    return True


async def _feed(window: TextWindow, texts: AsyncIterator[str]) -> None:
    text = await anext(texts, None)
    if text is None:
        window.end()
    else:
        window.feed(text)


class _Lines:
    """Lines on their way to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[str] = []
        self._length = self._written = 0

    def add(self, line: str) -> None:
        self._waiting.append(line)
        self._length += len(line)

    async def flush(self, at_least: int = 0) -> int:
        """Write what waits, if it is as long as that; returns how many bytes have been written in all."""
        if self._waiting and self._length >= at_least:
            content = "\n".join([*self._waiting, ""]).encode()
            self._waiting, self._length = [], 0
            self._written += await asyncio.to_thread(self._file.write, content)
        return self._written
