"""Rendering the Helm chart with Helm's own engine."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "umail-gateway"
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
"""Values to try the chart with, named for what they show."""

RELEASE, NAMESPACE = "demo", "prod"
MASTER_KEY = "A" * 43 + "="

Manifest = dict[str, Any]


def example(name: str) -> Manifest:
    """Return the values of one of the chart's examples."""
    return values_in(CHART / "ci" / f"{name}-values.yaml")


def values_in(path: Path) -> Manifest:
    """Return the values of a file."""
    values: Manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


each_example = pytest.mark.parametrize(
    "values", [values_in(each) for each in EXAMPLES], ids=[each.name.removesuffix("-values.yaml") for each in EXAMPLES]
)


def render(values: Manifest) -> list[Manifest]:
    """Return every manifest that the chart makes of values, hooks and tests included.

    Raises:
        helm_python.HelmError: the values are not the chart's, or it refuses them.
    """
    return [
        manifest
        for name, text in _rendered(values).items()
        if name.endswith(".yaml")
        for manifest in yaml.load_all(text, UniqueKeys)
        if manifest is not None
    ]


def notes(values: Manifest) -> str:
    """Return what is told to whoever installs the chart."""
    return _rendered(values)["umail-gateway/templates/NOTES.txt"]


def refusal(values: Manifest) -> str:
    """Return why the chart refuses values."""
    try:
        _rendered(values)
    except helm.HelmError as error:
        return str(error)
    raise AssertionError("the chart takes these values")


def only(manifests: list[Manifest], kind: str, suffix: str = "") -> Manifest:
    """Return the one manifest of a kind, or the one whose name ends in `suffix`."""
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith(suffix)]
    return found


def pods_of(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the specification of every pod, with what it belongs to."""
    for each in manifests:
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["spec"]
        elif "template" in each.get("spec", {}):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def _rendered(values: Manifest) -> dict[str, str]:
    with helm.Chart.load(CHART) as chart:
        return chart.render(values, name=RELEASE, namespace=NAMESPACE)


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, of which Kubernetes would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping whose keys differ."""
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice among {keys}"
        return super().construct_mapping(node, deep)
