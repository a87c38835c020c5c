"""The command line, in processes of its own."""

import json
import re
import signal
from pathlib import Path

import httpx2
import pytest

from app.master_keys import generate_master_key
from app.tenants.keys import generate_key, hash_key
from tests.support.processes import lines_until, run, running
from tests.support.servers import unused_port
from tests.support.valkey import ValkeyServer

OPENAPI = Path(__file__).parents[1] / "openapi" / "openapi.json"


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


def test_the_committed_openapi_document_is_the_generated_one(tmp_path: Path) -> None:
    done = run("openapi", folder=tmp_path)
    assert json.loads(done.stdout) == json.loads(OPENAPI.read_text(encoding="utf-8")), "run `make openapi`"


class TestServe:
    def test_serves_until_terminated(self, tmp_path: Path) -> None:
        key = generate_key()
        url = tenants_file(tmp_path, key)
        with running("serve", "--port", "0", folder=tmp_path, UMAIL_GATEWAY_TENANTS_URL=url) as process:
            started = json.loads(lines_until(process, "Uvicorn running")[-1])
            match = re.search(r"http://127\.0\.0\.1:\d+", started["event"])
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
        with running(*arguments, folder=tmp_path, **settings) as process:
            lines = [line for _ in range(3) for line in lines_until(process, "Application startup complete")]
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


def test_the_sandbox_alone(tmp_path: Path) -> None:
    with running("sandbox", "--port", "0", "--smtp-port", "0", folder=tmp_path) as process:
        (*_, line) = lines_until(process, "sandbox at")
        base_url = line.rpartition(" ")[2]
        response = httpx2.get(f"{base_url}account.php?do=customer-info", auth=("demo", "demo"))
        assert "<username>demo</username>" in response.text.replace("\r\n", "").replace(" ", "")
