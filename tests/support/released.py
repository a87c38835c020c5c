"""The contract of the present version: `python -m tests.support.released` freezes it."""

import json

from app import __version__
from tests.support.conformance import document
from tests.support.guides import ROOT


def main() -> None:
    """Write the documents of clients and operators, as one."""
    path = ROOT / "openapi/released" / f"{__version__}.json"
    path.write_text(json.dumps(document(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
