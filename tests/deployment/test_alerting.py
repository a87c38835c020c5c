"""The dashboard and the alerts: PromQL that a parser takes, over metrics and labels that there are."""

import json
import os
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
from prometheus_client.metrics import MetricWrapperBase

from app.telemetry.metrics import Metrics
from app.telemetry.workers import Processes
from tests.support.charts import CHART, NAMESPACE, Manifest, example, only, render

DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}

ADDED = frozenset({"namespace", "job", "pod"})
"""Labels that Prometheus adds to whatever it scrapes."""

_SAMPLES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}


def alert_rules() -> list[Manifest]:
    groups = only(render(example("production")), "PrometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in alert_rules()}


def scraped() -> dict[str, frozenset[str]]:
    """Return the name of every sample there is, with its labels."""
    found = {"up": ADDED}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            for suffix in _SAMPLES[family.type]:
                bounds = {"le"} if suffix == "_bucket" else set()
                found[family.name + suffix] = ADDED | set(metric._labelnames) | bounds
    for metric in Processes(lambda: [os.getpid()]).collect():
        found |= {sample.name: ADDED for sample in metric.samples}
    return found


def queries() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            # A duration and texts are what Grafana puts in.
            yield f"{panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "5m")
    for name, rule in ALERTS.items():
        yield name, rule["expr"]


def parts_of(query: str) -> list[Any]:
    """Return every node of a query's tree.

    Raises:
        ValueError: it is not PromQL.
    """
    found: list[Any] = []
    promql.walk(promql.parse(query), found.append)
    return found


def unknown_in(query: str) -> set[str]:
    """Return the metrics and labels of a query that nothing exposes."""
    known, parts, unknown = scraped(), parts_of(query), set()
    labels: set[str] = set()
    for selector in (part for part in parts if isinstance(part, promql.VectorSelector)):
        name = selector.name or ""
        labels |= known.get(name, frozenset())
        unknown |= {name} - known.keys()
        unknown |= {each.name for each in selector.matchers.matchers} - known.get(name, frozenset())
    for modifier in (part.modifier for part in parts if isinstance(part, promql.AggregateExpr)):
        unknown |= set(modifier.labels if modifier else ()) - labels
    return unknown


@pytest.mark.parametrize("query", [each for _, each in queries()], ids=[name for name, _ in queries()])
def test_queries_are_of_metrics_and_labels_that_there_are(query: str) -> None:
    assert unknown_in(query) == set()


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("sum(rate(umail_gateway_requests_total[5m]))", {"umail_gateway_requests_total"}),
        ('umail_gateway_breakers_open{platform="x"}', {"platform"}),
        ("sum by (tenant) (rate(umail_gateway_refused_total[5m]))", {"tenant"}),
    ],
)
def test_another_metric_or_label_would_be_noticed(query: str, unknown: set[str]) -> None:
    assert unknown_in(query) == unknown


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {
        part.name for panel in PANELS for each in panel["targets"] for part in parts_of_panel(each["expr"]) if part.name
    }
    families = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in scraped()}
    assert {each for each in families if not any(name.startswith(each) for name in shown)} == set()


def parts_of_panel(query: str) -> list[Any]:
    parts = parts_of(query.replace("$__rate_interval", "5m"))
    return [part for part in parts if isinstance(part, promql.VectorSelector)]


class TestDashboard:
    def test_its_panels_do_not_overlap(self) -> None:
        taken: dict[tuple[int, int], str] = {}
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    assert taken.setdefault((x, y), panel["title"]) == panel["title"]

    def test_each_panel_is_one_of_its_kind_and_says_what_it_shows(self) -> None:
        identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
        assert len(identifiers) == len(set(identifiers))
        assert all(panel["title"] and panel["description"] for panel in PANELS)

    def test_asks_the_data_source_that_is_chosen_and_uses_every_variable(self) -> None:
        assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
        assert set(VARIABLES) == {"datasource", *ADDED}
        for panel in PANELS:
            for target in panel["targets"]:
                assert '=~"$namespace"' in target["expr"]
                assert '=~"$job"' in target["expr"]

    def test_its_variables_are_of_a_metric_that_there_is(self) -> None:
        for name in ADDED:
            metric, _, label = VARIABLES[name]["query"]["query"].removeprefix("label_values(").rpartition(", ")
            assert label == f"{name})"
            assert unknown_in(metric) == set()

    def test_reaches_the_cluster_as_it_is_in_the_chart(self) -> None:
        found = only(render(example("production")), "ConfigMap", "-dashboard")
        assert json.loads(found["data"]["umail-gateway.json"]) == DASHBOARD
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


class TestAlerts:
    def test_there_is_one_for_each_way_to_fail(self) -> None:
        assert {each.removeprefix("UmailGateway") for each in ALERTS} >= {
            *(
                "NotScraped",
                "Errors",
                "PlatformFailing",
                "BreakerOpen",
                "Slow",
                "StateFailing",
                "Limited",
                "Overloaded",
                "EventLoopLate",
            ),
        }

    @pytest.mark.parametrize("name", ALERTS)
    def test_each_is_about_this_release_only(self, name: str) -> None:
        selectors = [part for part in parts_of(ALERTS[name]["expr"]) if isinstance(part, promql.VectorSelector)]
        assert selectors
        for selector in selectors:
            matched = {(each.name, each.value) for each in selector.matchers.matchers}
            assert matched >= {("namespace", NAMESPACE), ("job", "demo-umail-gateway")}

    def test_thresholds_are_those_of_the_values(self) -> None:
        assert ALERTS["UmailGatewayErrors"]["expr"].endswith("> 0.02")
        assert ALERTS["UmailGatewaySlow"]["expr"].endswith("> 5")
