"""The README's table of resources: `python -m tests.support.resource_table` writes it from the OpenAPI document.

What the README says is kept where several scopes will do, of what stands behind an endpoint, and of others than `/v1`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_TABLE = re.compile(r"(?<=platform operation \(manual\) \|\n\| --- \| --- \| --- \|\n)(?:\|.*\n)+")
_ROW = re.compile(r"\| `([A-Z]+ [^`]+)` \| (.*) \| (.*) \|")


def table_of(document: Mapping[str, Any], present: str) -> str:
    """Return the table's rows for a document, given those there are."""
    kept = {row[1]: (row[2], row[3]) for row in map(_ROW.fullmatch, present.splitlines()) if row}
    others = [row for row in present.splitlines(keepends=True) if " /v1/" not in row]
    return "".join([*_rows(document, kept), *others])


def _rows(document: Mapping[str, Any], kept: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path.startswith("/v1/"):
                line = f"{method.upper()} {path}"
                scope, upstream = kept.get(line, ("", ""))
                scopes = list(dict.fromkeys(each for entry in operation["security"] for [each] in entry.values()))
                if len(scopes) == 1 or not scope:
                    scope = " or ".join(f"`{each}`" for each in scopes)
                yield f"| `{line}` | {scope} | {upstream or _upstream(operation)} |\n"


def _upstream(operation: Mapping[str, Any]) -> str:
    called = operation.get("x-upstream-operation")
    return f"{called['section']} `{called['do'] or called['script']}`" if called else "no call"


def present_table(text: str) -> str:
    """Return the rows that a README has."""
    found = _TABLE.search(text)
    if found is None:
        raise ValueError("the README has no table of resources")
    return found[0]


def main() -> None:
    """Write the table."""
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))
    text = README.read_text(encoding="utf-8")
    present = present_table(text)
    README.write_text(text.replace(present, table_of(document, present)), encoding="utf-8")


if __name__ == "__main__":
    main()
