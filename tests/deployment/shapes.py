"""The resources that a bare Kubernetes does not know, as far as the chart uses them."""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def _exactly(properties: Schema, *, optional: frozenset[str] = frozenset()) -> Schema:
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _all(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _resource(version: str, kind: str, spec: Schema) -> Schema:
    metadata = _exactly({"name": _TEXT, "labels": _TEXTS, "annotations": _TEXTS}, optional=frozenset({"annotations"}))
    return _exactly({"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


_DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}
_RELABELING = _exactly({"targetLabel": _TEXT, "replacement": _TEXT})
_ENDPOINT = _exactly(
    {
        "port": _TEXT,
        "path": _TEXT,
        "interval": _DURATION,
        "scrapeTimeout": _DURATION,
        "relabelings": _all(_RELABELING),
    }
)
_RULE = _exactly(
    {
        "alert": {"type": "string", "pattern": "^UmailGateway[A-Z][A-Za-z]+$"},
        "expr": _TEXT,
        "for": _DURATION,
        "labels": _exactly({"severity": {"enum": ["info", "warning", "critical"]}}),
        "annotations": _exactly({"summary": _TEXT, "description": {"type": "string", "minLength": 100}}),
    }
)
_ROUTE = _exactly(
    {
        "matches": _all(_exactly({"path": _exactly({"type": {"const": "PathPrefix"}, "value": _TEXT})})),
        "timeouts": _exactly({"request": {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}}),
        "backendRefs": _all(_exactly({"name": _TEXT, "port": {"type": "integer"}})),
    }
)
_PARENT = _exactly(
    {"name": _TEXT, "namespace": _TEXT, "sectionName": _TEXT}, optional=frozenset({"namespace", "sectionName"})
)

CUSTOM_RESOURCES: dict[str, Schema] = {
    "ServiceMonitor": _resource(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _exactly({"selector": _exactly({"matchLabels": _TEXTS}), "endpoints": _all(_ENDPOINT)}),
    ),
    "PodMonitor": _resource(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        _exactly({"selector": _exactly({"matchLabels": _TEXTS}), "podMetricsEndpoints": _all(_ENDPOINT)}),
    ),
    "PrometheusRule": _resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _exactly({"groups": _all(_exactly({"name": _TEXT, "rules": _all(_RULE)}))}),
    ),
    "HTTPRoute": _resource(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        _exactly({"parentRefs": _all(_PARENT), "hostnames": _all(_TEXT), "rules": _all(_ROUTE)}),
    ),
}
