"""What the chart's `values.schema.json` has to say about settings; `make chart` writes it there."""

import json
from typing import Any

from app.settings import Settings
from tests.support.charts import CHART

SCHEMA = CHART / "values.schema.json"
FIXED = frozenset({"PORT", "MANAGEMENT_PORT", "DATA_DIR"})
"""Settings that the chart itself decides."""

_KEPT = ("type", "enum", "items", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def secret_names() -> list[str]:
    """Return the settings that belong into a Secret."""
    return [name for name, schema in _settings().items() if _is_secret(schema)]


def settings_schema() -> dict[str, dict[str, Any]]:
    """Return the schema of each setting that belongs into the ConfigMap."""
    return {
        name: {key: value for key, value in _value_of(schema).items() if key in _KEPT}
        for name, schema in _settings().items()
        if name not in FIXED and not _is_secret(schema)
    }


def main() -> None:
    """Write them into the chart."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["settings"]["properties"] = settings_schema()
    schema["$defs"]["secretName"]["enum"] = secret_names()
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _settings() -> dict[str, dict[str, Any]]:
    return {name.upper(): schema for name, schema in Settings.model_json_schema()["properties"].items()}


def _is_secret(schema: dict[str, Any]) -> bool:
    return '"format": "password"' in json.dumps(schema)


def _value_of(schema: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)


if __name__ == "__main__":
    main()
