"""Where entries go: whole lines, kept to oneself, through rotation, and never silently lost."""

import json
import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from app.telemetry.audit_log import AuditEntry, AuditFile, AuditFileError, AuditLog, Pseudonyms, StandardOutput
from app.tenants.vault import MasterKey

ENTRY = AuditEntry(
    time="2026-11-25T12:00:00.000Z",
    tenant="acme",
    key="web",
    client="192.0.2.1",
    method="POST",
    operation="create_list",
    targets={"created": "79"},
    status=201,
    code=None,
    replayed=False,
    request_id="r",
    trace_id="t",
)


class Losses:
    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> None:
        self.number += 1


class TestFile:
    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        AuditFile(tmp_path / "audit").write("x\n")
        assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600

    def test_what_is_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / "audit").write_text("earlier\n")
        AuditFile(tmp_path / "audit").write("later\n")
        assert (tmp_path / "audit").read_text() == "earlier\nlater\n"

    @pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
    def test_survives_rotation(self, tmp_path: Path, how: str) -> None:
        path = tmp_path / "audit"
        file = AuditFile(path)
        file.write("before\n")
        if how == "removed":
            path.unlink()
        else:
            path.rename(tmp_path / "audit.1")
        if how == "replaced":
            path.touch(0o600)
        file.write("after\n")
        file.write("and again\n")
        assert path.read_text() == "after\nand again\n"
        if how != "removed":
            assert (tmp_path / "audit.1").read_text() == "before\n"

    def test_after_a_cut_line_the_next_one_is_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = AuditFile(tmp_path / "audit")
        write = os.write
        with monkeypatch.context() as full_disk:
            full_disk.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
            with pytest.raises(OSError, match="cut"):
                file.write("first\n")
        file.write("second\n")
        assert (tmp_path / "audit").read_text() == "fir\nsecond\n"

    def test_one_that_cannot_be_opened(self, tmp_path: Path) -> None:
        with pytest.raises(AuditFileError, match="cannot be opened"):
            AuditFile(tmp_path / "no" / "audit")

    def test_several_processes_share_it(self, tmp_path: Path) -> None:
        context = get_context("spawn")
        workers = [context.Process(target=append, args=(tmp_path / "audit", str(number))) for number in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        lines = (tmp_path / "audit").read_text().splitlines()
        assert len(lines) == 3 * 200
        assert {json.loads(line)["key"] for line in lines} == {"0", "1", "2"}


def append(path: Path, key: str) -> None:
    file = AuditFile(path)
    for _ in range(200):
        file.write(json.dumps({"key": key, "padding": "x" * 1000}) + "\n")


class TestAuditLog:
    def test_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        AuditLog(StandardOutput(), on_failure=Losses()).record(ENTRY)
        assert json.loads(capsys.readouterr().out) == {
            "event": "audit",
            "time": "2026-11-25T12:00:00.000Z",
            "tenant": "acme",
            "key": "web",
            "client": "192.0.2.1",
            "method": "POST",
            "operation": "create_list",
            "targets": {"created": "79"},
            "status": 201,
            "code": None,
            "replayed": False,
            "request_id": "r",
            "trace_id": "t",
            "tool": None,
        }

    def test_a_failure_is_counted_and_does_not_surface(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        losses = Losses()
        file = AuditFile(tmp_path / "folder" / "audit")
        (tmp_path / "folder").rename(tmp_path / "gone")
        trail = AuditLog(file, on_failure=losses)
        trail.record(ENTRY)
        trail.record(ENTRY)
        assert losses.number == 2
        (tmp_path / "folder").mkdir()
        trail.record(ENTRY)
        assert losses.number == 2
        assert len((tmp_path / "folder" / "audit").read_text().splitlines()) == 1


class TestPseudonyms:
    KEY = MasterKey(b"k" * 32)

    def test_addresses_are_hashed_by_tenant(self) -> None:
        hashed = Pseudonyms(self.KEY, "hashed")
        first = hashed.of("Anna@example.com", "acme")
        assert first.startswith("hmac:")
        assert "anna" not in first.lower()
        assert (
            first
            == hashed.of("anna@EXAMPLE.com", "acme")
            == Pseudonyms(self.KEY, "hashed").of("anna@example.com", "acme")
        )
        assert len({first, hashed.of("anna@example.com", "rival"), hashed.of("bert@example.com", "acme")}) == 3

    def test_other_targets_are_not(self) -> None:
        assert Pseudonyms(self.KEY, "hashed").of("78", "acme") == "78"

    def test_plain_on_request(self) -> None:
        assert Pseudonyms(self.KEY, "plain").of("Anna@example.com", None) == "Anna@example.com"

    def test_nothing_is_longer_than_a_line_may_be(self) -> None:
        assert len(Pseudonyms(self.KEY, "hashed").of("x" * 10_000, "acme")) == 200
