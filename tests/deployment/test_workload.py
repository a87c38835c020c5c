"""The chart's pods: how they are asked, stopped, replaced, and what runs before them."""

from typing import Any

import httpx2
import pytest

from tests.support.charts import MASTER_KEY, Manifest, example, only, pods_of, render
from tests.support.running import client_of, make_app


async def test_probes_and_scrapes_go_where_the_gateway_answers() -> None:
    manifests = render(example("production"))
    ((_, pod),) = [each for each in pods_of(manifests) if each[0] == "demo-umail-gateway"]
    (container,) = pod["containers"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    (endpoint,) = only(manifests, "ServiceMonitor")["spec"]["endpoints"]
    command = only(manifests, "Pod")["spec"]["containers"][0]["command"]
    paths = [*(each["path"] for each in probes), endpoint["path"], httpx2.URL(command[-1]).path]
    assert paths == ["/healthz", "/healthz", "/readyz", "/metrics", "/readyz"]
    async with client_of(make_app([])) as client:
        for path in paths:
            assert (await client.get(path)).status_code in {200, 503}, path
    assert [each["port"] for each in probes] == ["http"] * 3
    assert [(each["name"], each["containerPort"]) for each in container["ports"]] == [
        ("http", 8000),
        ("management", 8001),
    ]
    services = [each for each in manifests if each["kind"] == "Service"]
    assert [(port["name"], port["targetPort"]) for each in services for port in each["spec"]["ports"]] == [
        ("http", "http"),
        ("management", "management"),
    ]
    monitored = only(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    (service,) = [each for each in services if monitored <= each["metadata"]["labels"].items()]
    assert service["spec"]["ports"][0]["name"] == endpoint["port"] == "management"
    assert service["spec"]["type"] == "ClusterIP"
    assert only(manifests, "ConfigMap", "umail-gateway")["data"]["UMAIL_GATEWAY_MANAGEMENT_PORT"] == "8001"


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [({}, 50), ({"DRAIN_TIME": 7.5, "SHUTDOWN_TIMEOUT": 60}, 78), ({"DRAIN_TIME": None, "SHUTDOWN_TIMEOUT": None}, 40)],
)
def test_a_pod_gets_the_time_to_drain_and_to_finish(settings: Manifest, seconds: int) -> None:
    deployment = only(render({**example("minimal"), "settings": settings}), "Deployment", "gateway")
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds


def test_pods_are_replaced_when_settings_or_secrets_change_and_not_for_tenants() -> None:
    def annotations(**changes: Any) -> Manifest:
        deployment = only(render({**example("tenants-file"), **changes}), "Deployment", "gateway")
        found: Manifest = deployment["spec"]["template"]["metadata"]["annotations"]
        return found

    before = annotations()
    assert annotations(tenants={"key": "acme.yaml", "file": "tenants: []"}) == before
    assert annotations(settings={"LOG_LEVEL": "DEBUG"}) != before
    assert annotations(secrets={"values": {"MASTER_KEY": MASTER_KEY}}) != before


@pytest.mark.parametrize(("name", "strategy"), [("minimal", "Recreate"), ("production", "RollingUpdate")])
def test_pods_overlap_only_if_they_share_what_they_know(name: str, strategy: str) -> None:
    assert only(render(example(name)), "Deployment", "gateway")["spec"]["strategy"]["type"] == strategy


@pytest.mark.parametrize(
    ("name", "apart"), [("minimal", False), ("tenants-file", False), ("production", True), ("httproute", True)]
)
def test_events_have_pods_of_their_own_where_these_can_share_what_they_know(name: str, apart: bool) -> None:
    manifests = render(example(name))
    watching = [each for each in manifests if each["metadata"]["name"] == "demo-umail-gateway-events"]
    assert {each["kind"] for each in watching} <= {"Deployment", "PodMonitor"}
    inside = only(manifests, "ConfigMap", "umail-gateway")["data"].get("UMAIL_GATEWAY_EVENTS_IN_SERVE")
    assert (bool(watching), inside) == (apart, None if apart else "true")
    if apart:
        (container,) = only(watching, "Deployment")["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["events"]
        off = render({**example(name), "events": {"enabled": False}})
        assert not any(each["metadata"]["name"].endswith("-events") for each in off)


def test_the_autoscaler_decides_alone() -> None:
    assert "replicas" not in only(render(example("production")), "Deployment", "gateway")["spec"]
    assert only(render(example("httproute")), "Deployment", "gateway")["spec"]["replicas"] == 2


@pytest.mark.parametrize(("name", "migrates"), [("minimal", False), ("ingress", False), ("httproute", True)])
def test_postgresql_is_migrated_ahead_of_the_pods(name: str, migrates: bool) -> None:
    manifests = render(example(name))
    assert any(each["kind"] == "Job" for each in manifests) is migrates


def test_the_migration_needs_nothing_that_is_installed_after_it() -> None:
    manifests = render(example("httproute"))
    job = only(manifests, "Job")
    hook = job["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    (variable,) = spec["containers"][0]["env"]
    secret = only(manifests, "Secret", "-migration")
    assert variable["valueFrom"]["secretKeyRef"] == {"name": secret["metadata"]["name"], "key": "DATABASE_URL"}
    weight = "helm.sh/hook-weight"
    assert int(secret["metadata"]["annotations"][weight]) < int(hook[weight])
