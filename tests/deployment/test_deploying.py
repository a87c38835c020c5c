"""What the guide shows of deploying works as it stands there."""

import re
from pathlib import Path
from typing import Any

import yaml

from app import __version__
from app.settings import Settings
from tests.support.charts import UniqueKeys, only, render

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "helm/README.md").read_text(encoding="utf-8")
DEPLOYING = GUIDE.partition("## Docker\n")[2].partition("\n## systemd")[0]
COMPOSE, VALUES = (yaml.load(text, UniqueKeys) for text in re.findall(r"(?s)```yaml\n(.*?)```", DEPLOYING))
GATEWAY: dict[str, Any] = COMPOSE["services"]["gateway"]


def test_the_values_install_all_of_it() -> None:
    manifests = render(VALUES)
    assert only(manifests, "HorizontalPodAutoscaler")
    assert only(manifests, "Ingress")
    assert only(manifests, "Job")


def test_every_variable_is_a_setting() -> None:
    names = re.findall(r"UMAIL_GATEWAY_([A-Z_]+)", DEPLOYING)
    assert {"MASTER_KEY", "DATABASE_URL", "STATE_URL", "TENANTS_URL"} <= set(names)
    assert {each.lower() for each in names} <= Settings.model_fields.keys()


def test_the_image_is_of_this_version() -> None:
    assert set(re.findall(r"umail-gateway:([\d.]+)", DEPLOYING)) == {__version__}


def test_the_gateway_waits_for_what_it_needs() -> None:
    others = COMPOSE["services"].keys() - {"gateway"}
    assert GATEWAY["depends_on"] == {name: {"condition": "service_healthy"} for name in others}
    assert all(COMPOSE["services"][name]["healthcheck"]["test"][0] == "CMD" for name in others)


def test_the_gateway_has_time_to_finish_and_nothing_to_write_to() -> None:
    settings = {name: Settings.model_fields[name].default for name in ("drain_time", "shutdown_timeout")}
    assert float(GATEWAY["stop_grace_period"].removesuffix("s")) > sum(settings.values())
    assert GATEWAY["read_only"] is True
    assert GATEWAY["tmpfs"] == ["/tmp"]
    assert GATEWAY["cap_drop"] == ["ALL"]


def test_the_store_is_bounded_and_forgets_the_oldest_first() -> None:
    command = " ".join(COMPOSE["services"]["valkey"]["command"])
    assert "--maxmemory " in command
    assert "--maxmemory-policy allkeys-lru" in command


def test_volumes_and_secrets_are_declared() -> None:
    named = {each.partition(":")[0] for service in COMPOSE["services"].values() for each in service.get("volumes", ())}
    assert {each for each in named if not each.startswith(".")} == COMPOSE.get("volumes", {}).keys()
    assert {each for service in COMPOSE["services"].values() for each in service.get("secrets", ())} == COMPOSE[
        "secrets"
    ].keys()
