"""The chart: what it makes is what Kubernetes takes, and asks of a cluster as little as can be."""

import json

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.deployment.shapes import CUSTOM_RESOURCES
from tests.support.charts import CHART, Manifest, each_example, example, only, pods_of, render

OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()


@each_example
def test_the_linter_finds_nothing(values: Manifest) -> None:
    report = helm.lint(CHART, values, strict=True)
    information = 1
    assert [each for each in report["messages"] if each["severity"] > information] == []


@each_example
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest(values: Manifest, version: str) -> None:
    for manifest in render(values):
        if manifest["kind"] in CUSTOM_RESOURCES:
            Draft202012Validator(CUSTOM_RESOURCES[manifest["kind"]]).validate(manifest)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_oldest_kubernetes_tried_is_the_oldest_promised() -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert metadata["kubeVersion"] == f">={OLDEST}.0-0"


@each_example
def test_every_pod_is_of_the_restricted_profile(values: Manifest) -> None:
    pods = dict(pods_of(render(values)))
    assert pods
    for name, pod in pods.items():
        assert complaints(pod) == [], name


def complaints(pod: Manifest) -> list[str]:
    """Return what the restricted Pod Security Standard, and a read-only file system, find wrong with a pod."""
    context = pod.get("securityContext", {})
    found = [f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if name in pod]
    if not (context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0):
        found.append("may be root")
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        found.append("no seccomp profile")
    if pod.get("automountServiceAccountToken") is not False:
        found.append("holds a token of the cluster")
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    found += [f"volume {each['name']}" for each in pod.get("volumes", ()) if set(each) - {"name"} - allowed]
    wanted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        if container.get("securityContext") != wanted:
            found.append(f"{container['name']} may do too much")
        if any("hostPort" in port for port in container.get("ports", ())):
            found.append(f"{container['name']} takes a port of the node")
        if "memory" not in container.get("resources", {}).get("limits", {}):
            found.append(f"{container['name']} may take all memory")
    return found


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hostNetwork": True}, "hostNetwork is set"),
        ({"securityContext": {"runAsNonRoot": True}}, "may be root"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 1}}, "no seccomp profile"),
        ({"automountServiceAccountToken": True}, "holds a token of the cluster"),
        ({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}, "volume root"),
        ({"containers": [{"name": "x", "securityContext": {"privileged": True}}]}, "x may do too much"),
    ],
)
def test_the_profile_would_notice(change: Manifest, complaint: str) -> None:
    ((_, pod), *_) = pods_of(render(example("minimal")))
    assert complaint in complaints({**pod, **change})


@each_example
def test_what_a_pod_mounts_is_there(values: Manifest) -> None:
    for name, pod in pods_of(render(values)):
        volumes = [each["name"] for each in pod.get("volumes", ())]
        assert len(volumes) == len(set(volumes)), name
        for container in pod["containers"]:
            assert {each["name"] for each in container.get("volumeMounts", ())} <= set(volumes), name


@each_example
def test_selectors_find_the_pods_they_are_for(values: Manifest) -> None:
    manifests = render(values)
    deployment = only(manifests, "Deployment", "gateway")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = [each["spec"]["selector"] for each in manifests if each["kind"] in {"Service", "PodDisruptionBudget"}]
    for selector in [deployment["spec"]["selector"], *selectors]:
        assert selector.get("matchLabels", selector).items() <= labels
    service, management = (each for each in manifests if each["kind"] == "Service")
    for monitor in (each for each in manifests if each["kind"] == "ServiceMonitor"):
        selected = monitor["spec"]["selector"]["matchLabels"].items()
        assert selected <= management["metadata"]["labels"].items()
        assert not selected <= service["metadata"]["labels"].items()
    for other in (each for each in manifests if each["kind"] in {"Job", "Pod"}):
        spec = other["spec"].get("template", other)
        assert not service["spec"]["selector"].items() <= spec["metadata"]["labels"].items()


def test_what_is_off_is_not_there() -> None:
    assert {each["kind"] for each in render(example("everything-off"))} == {"ConfigMap", "Deployment", "Service", "Pod"}


def test_everything_is_there_in_production() -> None:
    kinds = {each["kind"] for each in render(example("production"))}
    assert kinds >= {
        *("Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy", "Pod", "PodDisruptionBudget"),
        *("PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor"),
    }


def test_secrets_stand_in_secrets_only() -> None:
    manifests = render(example("httproute"))
    for secret in example("httproute")["secrets"]["values"].values():
        assert all(secret not in json.dumps(each) for each in manifests if each["kind"] != "Secret")
