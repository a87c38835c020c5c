"""The chart's values: strict, true to the settings there are, and refused in words where they cannot work."""

import json
import os
from typing import Any

import pytest

from app.settings import Settings
from tests.support.chart_settings import FIXED, SCHEMA, secret_names, settings_schema
from tests.support.charts import MASTER_KEY, Manifest, each_example, example, only, refusal, render

KEY = {"MASTER_KEY": MASTER_KEY}
SHARED = {**KEY, "STATE_URL": "redis://valkey:6379/0", "DATABASE_URL": "postgresql://gateway@postgres/gateway"}


def with_secrets(secrets: dict[str, str], **values: Any) -> Manifest:
    return {"secrets": {"values": secrets}, **values}


class TestSettings:
    def test_the_schema_knows_those_there_are(self) -> None:
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        assert schema["properties"]["settings"]["properties"] == settings_schema(), "run `make chart`"
        assert schema["$defs"]["secretName"]["enum"] == secret_names(), "run `make chart`"

    def test_none_is_left_out(self) -> None:
        assert {*secret_names(), *settings_schema(), *FIXED} == {name.upper() for name in Settings.model_fields}

    @each_example
    def test_the_gateway_takes_what_pods_are_given(self, values: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
        manifests = render(values)
        (container,) = only(manifests, "Deployment", "gateway")["spec"]["template"]["spec"]["containers"]
        names = [each["name"].removeprefix("UMAIL_GATEWAY_") for each in container["env"]]
        given = {f"UMAIL_GATEWAY_{name}": value for name, value in SHARED.items() if name in names}
        for name in os.environ:
            if name.startswith("UMAIL_GATEWAY_"):
                monkeypatch.delenv(name)
        for name, value in {**only(manifests, "ConfigMap", "gateway")["data"], **given}.items():
            assert name.removeprefix("UMAIL_GATEWAY_").lower() in Settings.model_fields
            monkeypatch.setenv(name, value)
        settings = Settings(_env_file=None)
        assert settings.shares_state is ("STATE_URL" in names)

    def test_numbers_and_tables_arrive_as_they_were_written(self) -> None:
        data = only(render(example("production")), "ConfigMap", "gateway")["data"]
        assert data["UMAIL_GATEWAY_CACHE_BYTES"] == "134217728"
        assert json.loads(data["UMAIL_GATEWAY_CACHE_LIFETIMES"]) == {"lists.list": 5, "*": 60}

    def test_the_tenants_file_is_where_it_is_mounted(self) -> None:
        manifests = render(example("tenants-file"))
        url = only(manifests, "ConfigMap")["data"]["UMAIL_GATEWAY_TENANTS_URL"]
        (container,) = only(manifests, "Deployment", "gateway")["spec"]["template"]["spec"]["containers"]
        (mount,) = [each for each in container["volumeMounts"] if each["name"] == "tenants"]
        (name,) = only(manifests, "Secret", "-tenants")["stringData"]
        assert url == f"file:{mount['mountPath']}/{name}"
        assert "subPath" not in mount


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"replica": 2}, "'replica'"),
        ({"replicas": 0}, "/replicas"),
        ({"image": {"tagg": "1"}}, "'tagg'"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"settings": {"LOGLEVEL": "INFO"}}, "'LOGLEVEL'"),
        ({"settings": {"LOG_LEVEL": "LOUD"}}, "/settings/LOG_LEVEL"),
        ({"settings": {"RETRY_ATTEMPTS": 9}}, "/settings/RETRY_ATTEMPTS"),
        ({"settings": {"STATE_URL": "redis://valkey"}}, "'STATE_URL'"),
        ({"settings": {"PORT": 9000}}, "'PORT'"),
        ({"secrets": {"values": {"PASSWORD": "x"}}}, "'PASSWORD'"),
        ({"secrets": {"existingKeys": ["PASSWORD"]}}, "/secrets/existingKeys/0"),
        ({"persistence": {"size": "large"}}, "/persistence/size"),
        ({"service": {"type": "ExternalName"}}, "/service/type"),
        ({"networkPolicy": {"egress": {"platform": {"ports": [0]}}}}, "/networkPolicy/egress/platform/ports/0"),
        ({"networkPolicy": {"ingress": {"from": [{"podselector": {}}]}}}, "'podselector'"),
        ({"metrics": {"prometheusRule": {"thresholds": {"errorRatio": 5}}}}, "thresholds/errorRatio"),
        ({"paths": ["v1"]}, "/paths/0"),
    ],
)
def test_what_is_not_in_the_schema_is_refused(values: Manifest, place: str) -> None:
    text = refusal({**with_secrets(KEY), **values})
    assert "schema" in text
    assert place in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "There is no master key"),
        ({"secrets": {"existingSecret": "x", "existingKeys": ["STATE_URL"]}}, "There is no master key"),
        ({"secrets": {"existingSecret": "x"}}, "list in secrets.existingKeys"),
        ({"secrets": {"existingKeys": ["MASTER_KEY"]}}, "say which one in secrets.existingSecret"),
        (
            {"secrets": {"existingSecret": "x", "existingKeys": ["MASTER_KEY"], "values": KEY}},
            "MASTER_KEY stands in both",
        ),
        (with_secrets(KEY, replicas=2), "Several replicas need a state store they share"),
        (with_secrets({**SHARED, "STATE_URL": "memory://"}, replicas=2), "Several replicas need a state store"),
        (with_secrets(KEY, autoscaling={"enabled": True}), "Several replicas need a state store they share"),
        (
            with_secrets({**KEY, "STATE_URL": SHARED["STATE_URL"]}, replicas=2),
            "Several replicas need a database they share",
        ),
        (
            with_secrets({**SHARED, "DATABASE_URL": "sqlite:////data/x.db"}, autoscaling={"enabled": True}),
            "Several replicas need a database they share",
        ),
        (
            with_secrets({**KEY, "STATE_URL": SHARED["STATE_URL"]}, replicas=2, persistence={"enabled": True}),
            "persistence keeps the SQLite database of a single replica",
        ),
        (with_secrets(SHARED, persistence={"enabled": True}), "there is nothing to keep"),
        (with_secrets(SHARED, autoscaling={"enabled": True, "minReplicas": 9}), "autoscaling.minReplicas is more"),
        (with_secrets(KEY, tenants={"file": "x", "existingSecret": "y"}), "Tenants come from one place"),
        (
            with_secrets(KEY, tenants={"file": "x"}, settings={"TENANTS_URL": "file:/y"}),
            "Tenants come from one place",
        ),
        (with_secrets(KEY, ingress={"enabled": True}), "ingress.hosts is empty"),
        (with_secrets(KEY, httpRoute={"enabled": True}), "httpRoute.parentRefs is empty"),
        (
            with_secrets(KEY, ingress={"enabled": True, "hosts": ["x"]}, httpRoute={"enabled": True}),
            "Either ingress or httpRoute",
        ),
    ],
)
def test_what_cannot_work_is_refused(values: Manifest, message: str) -> None:
    assert message in refusal(values)


def test_a_master_key_may_stand_beside_the_one_before_it() -> None:
    assert only(render(with_secrets({"MASTER_KEY": f"{MASTER_KEY},{'B' * 43}="})), "Secret")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASTER_KEY", "not-so-secret"),
        ("ADMIN_TOKEN", "not-so-secret"),
        ("STATE_URL", "valkey://:not-so-secret@valkey"),
        ("DATABASE_URL", "mysql://gateway:not-so-secret@mysql/gateway"),
    ],
)
def test_a_refused_secret_is_not_shown(name: str, value: str) -> None:
    text = refusal(with_secrets({**KEY, name: value}))
    assert name in text
    assert "not-so-secret" not in text
