"""The command line, in processes of its own."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx2
import psycopg
import pytest
import yaml

from app.tenants.store import generate_key, hash_key
from app.tenants.vault import generate_master_key
from tests.support.postgres import Databases
from tests.support.processes import lines_until, run, running, running_apart
from tests.support.servers import unused_port
from tests.support.valkey import ValkeyServer

OPENAPI = Path(__file__).parents[1] / "openapi"


def tenants_file(folder: Path, key: str, base_url: str = "http://127.0.0.1:9/mm-ms/apinew/") -> str:
    path = folder / "tenants.yaml"
    path.write_text(
        f"""
tenants:
  - id: acme
    name: Acme
    upstream: {{base_url: "{base_url}", username: demo, password: demo}}
    keys: [{{id: web, sha256: "{hash_key(key)}", scopes: [read, write]}}]
""",
        encoding="utf-8",
    )
    return f"file:{path}"


def test_generated_keys_come_with_their_hash(tmp_path: Path) -> None:
    done = run("keys", "generate", folder=tmp_path)
    match = re.fullmatch(r"key:    (umg_\S+)\nsha256: ([0-9a-f]{64})\n", done.stdout)
    assert match
    assert hash_key(match[1]) == match[2]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_the_committed_openapi_documents_are_the_generated_ones(form: str, tmp_path: Path) -> None:
    done = run("openapi", "--format", form, folder=tmp_path)
    assert done.stdout == (OPENAPI / f"openapi.{form}").read_text(encoding="utf-8"), "run `make openapi`"


def test_both_forms_of_the_openapi_document_say_the_same() -> None:
    as_json = json.loads((OPENAPI / "openapi.json").read_text(encoding="utf-8"))
    assert yaml.safe_load((OPENAPI / "openapi.yaml").read_text(encoding="utf-8")) == as_json


class TestServe:
    def test_serves_until_terminated(self, tmp_path: Path) -> None:
        key = generate_key()
        url = tenants_file(tmp_path, key)
        with running("serve", "--port", "0", folder=tmp_path, UMAIL_GATEWAY_TENANTS_URL=url) as process:
            started = json.loads(lines_until(process.stdout, "listening")[-1])
            match = re.search(r"http://127\.0\.0\.1:\d+", started["url"])
            assert match
            assert httpx2.get(f"{match[0]}/readyz").json()["status"] == "ready"
            response = httpx2.get(f"{match[0]}/v1/lists", headers={"X-API-Key": key})
            assert response.json()["code"] == "upstream_unavailable"
            assert "server" not in response.headers
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
            assert process.returncode in {0, -signal.SIGTERM}
        for line in output.splitlines():
            json.loads(line)
        assert key not in output

    def test_workers_share_tenants_and_journal(self, tmp_path: Path, valkey: ValkeyServer) -> None:
        settings = {"UMAIL_GATEWAY_STATE_URL": valkey.url, "UMAIL_GATEWAY_MASTER_KEY": generate_master_key()}
        arguments = ("serve", "--workers", "3", "--port", str(unused_port()))
        with running_apart(*arguments, folder=tmp_path, **settings) as process:
            assert process.stdout is not None
            lines = [line for _ in range(3) for line in lines_until(process.stdout, "worker_started")]
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
        logged = [json.loads(line) for line in [*lines, *output.splitlines()]]
        assert [each for each in logged if each["level"] not in {"info", "warning"}] == []

    @pytest.mark.parametrize(
        ("environment", "arguments", "message"),
        [
            ({"UMAIL_GATEWAY_TENANTS_URL": "databases"}, [], "UMAIL_GATEWAY_TENANTS_URL"),
            ({"UMAIL_GATEWAY_DATABASE_URL": "sqlite:///other.db"}, [], "MASTER_KEY is needed"),
            ({"UMAIL_GATEWAY_DATA_DIR": "/dev/null/x"}, [], "/dev/null/x cannot be made"),
            ({"UMAIL_GATEWAY_TENANTS_URL": "file:/nowhere.yaml"}, [], "cannot read /nowhere.yaml"),
            ({"UMAIL_GATEWAY_TENANTS_URL": "file:x", "UMAIL_GATEWAY_PORT": "x"}, [], "UMAIL_GATEWAY_PORT"),
            ({"UMAIL_GATEWAY_TENANTS_URL": "file:x"}, ["--workers", "2"], "memory://"),
        ],
    )
    def test_says_what_is_wrong_with_its_settings(
        self, tmp_path: Path, environment: dict[str, str], arguments: list[str], message: str
    ) -> None:
        done = run("serve", *arguments, folder=tmp_path, **environment)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr


class TestMigrate:
    def test_makes_the_database_and_needs_no_tenants(self, tmp_path: Path) -> None:
        for _ in range(2):
            done = run("migrate", folder=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")
            assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["database_migrated"]
        with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "sends" in tables

    def test_brings_postgresql_to_the_present_schema(self, tmp_path: Path, postgres: Databases) -> None:
        url = postgres.make()
        done = run("migrate", folder=tmp_path, UMAIL_GATEWAY_DATABASE_URL=url)
        assert (done.returncode, done.stderr) == (0, "")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM sends").fetchone() == (0,)

    def test_says_why_it_cannot_and_not_the_password(self, tmp_path: Path) -> None:
        url = f"postgresql://gateway:not-so-secret@127.0.0.1:{unused_port()}/gateway"
        done = run("migrate", folder=tmp_path, UMAIL_GATEWAY_DATABASE_URL=url)
        assert done.returncode == 2
        assert done.stderr.startswith("The database cannot be opened: ")
        assert "not-so-secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_first_process_of_a_container_ends_when_told_to_while_it_starts(tmp_path: Path) -> None:
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode != 0:
        pytest.skip("namespaces of processes are not allowed here")
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(30)
        url = f"postgresql://gateway@127.0.0.1:{database.getsockname()[1]}/gateway"
        with running_apart("migrate", folder=tmp_path, before=apart, UMAIL_GATEWAY_DATABASE_URL=url) as process:
            connection, _ = database.accept()
            with connection:
                (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(first), signal.SIGTERM)
                assert process.wait(timeout=30) == 128 + signal.SIGTERM


def test_the_sandbox_alone(tmp_path: Path) -> None:
    with running("sandbox", "--port", "0", "--smtp-port", "0", folder=tmp_path) as process:
        (*_, line) = lines_until(process.stdout, "sandbox at")
        base_url = line.rpartition(" ")[2]
        response = httpx2.get(f"{base_url}account.php?do=customer-info", auth=("demo", "demo"))
        assert "<username>demo</username>" in response.text.replace("\r\n", "").replace(" ", "")
