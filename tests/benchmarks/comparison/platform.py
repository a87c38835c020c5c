"""The platform in front of which everything is compared: nginx where the machine has one, else one of our own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.comparison.upstream import NONE, documents, run_upstream
from tests.benchmarks.exports import process
from tests.benchmarks.load import Target, get
from tests.benchmarks.servers import wait_for
from tests.support.servers import unused_port

# What is asked for by day is whether there is such a campaign already. Files are not for POST; a 405 is given as one.
_CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr crit;
worker_processes 1;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  default_type text/xml;
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $arg_date $file {{ "" $arg_do; default none; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
    error_page 405 =200 /$file;
    location / {{ try_files /$file =404; }}
  }}
}}
"""


@contextmanager
def platform() -> Iterator[tuple[int, str]]:
    """Run a platform that answers at once, always the same; yields its port and what it is."""
    program = shutil.which("nginx")
    if program is None:
        with process(run_upstream) as (port, _):
            yield port, "a small server of the benchmark's own, for there is no nginx"
        return
    with TemporaryDirectory() as name:
        folder, port = Path(name), unused_port()
        with subprocess.Popen([program, "-p", name, "-c", _write(folder, port)]) as running:
            try:
                wait_for(Target(port, get("/mm-ms/apinew/account.php?do=customer-info")))
                yield port, "nginx"
            finally:
                running.terminate()


def _write(folder: Path, port: int) -> Path:
    for operation, document in {**documents(30, 500), b"none": NONE}.items():
        (folder / operation.decode()).write_text(document, encoding="utf-8")
    path = folder / "nginx.conf"
    # As root it would read these files, which are ours alone, as somebody else.
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(_CONFIGURATION.format(folder=folder, port=port, user=user), encoding="utf-8")
    return path
