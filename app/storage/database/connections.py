"""What is used of SQLAlchemy's engines, awaited.

`sqlalchemy.ext.asyncio` would do the same, and load the whole ORM for it, which nothing here uses: 6 MB of every worker
and a tenth of a second of its start.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, CursorResult, Engine, Executable
from sqlalchemy.util import greenlet_spawn

T = TypeVar("T")
P = ParamSpec("P")


class AsyncConnection:
    """A connection with a transaction open on it.

    Args:
        connection: made by the engine of an asynchronous driver.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Carry a statement out and return its result, all of it read.

        Raises:
            SQLAlchemyError: it fails.
        """
        return await greenlet_spawn(self._connection.execute, statement, parameters)

    async def run_sync(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Call a function with the connection in its synchronous form, which waits without keeping the loop waiting."""
        return await greenlet_spawn(partial(work, self._connection, *args, **options))


class AsyncEngine:
    """Lends connections.

    Args:
        engine: that of an asynchronous driver.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def transaction(self, options: Mapping[str, Any] | None = None) -> AsyncIterator[AsyncConnection]:
        """Open a transaction on a connection of its own; leaving commits it, leaving with an exception undoes it.

        Args:
            options: of its execution.

        Raises:
            SQLAlchemyError: there is no connection, or the transaction cannot be begun or ended.
        """
        connection = await greenlet_spawn(self._engine.connect)
        try:
            connection = await greenlet_spawn(partial(connection.execution_options, **(options or {})))
            transaction = await greenlet_spawn(connection.begin)
            try:
                yield AsyncConnection(connection)
            except BaseException as failure:
                await greenlet_spawn(transaction.__exit__, type(failure), failure, failure.__traceback__)
                raise
            await greenlet_spawn(transaction.__exit__, None, None, None)
        finally:
            await _carried_out(greenlet_spawn(connection.close))

    async def dispose(self) -> None:
        """Close all connections."""
        await greenlet_spawn(self._engine.dispose)


async def _carried_out(work: Coroutine[Any, Any, None]) -> None:
    """Wait until something is done, even if the caller is cancelled: what is not given back is missed for good."""
    task = asyncio.create_task(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as reason:
            cancelled = reason
    task.result()
    if cancelled is not None:
        raise cancelled
