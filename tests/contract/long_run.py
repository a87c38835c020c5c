"""A longer search by hand: `python -m tests.contract.long_run --max-examples 200`.

Prints what was found; ends with 1 if that was anything.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.contract.running import PARTS, fuzz


async def main() -> int:
    """Run Schemathesis over the parts of the document that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], help="parts of the document; all of them")
    parser.add_argument("--max-examples", default="200", help="made-up requests of an operation")
    parser.add_argument("--seed", help="what an earlier run began with, to repeat it")
    arguments = parser.parse_args()
    options = ["--max-examples", arguments.max_examples]
    if arguments.seed:
        options += ["--seed", arguments.seed]
    passed = True
    for part in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="umail-gateway-fuzz-") as folder:
            outcome = await fuzz(PARTS[part], Path(folder), options)
        sys.stdout.write(f"{part}\n{outcome.output}\n{outcome.faults}\n")
        passed = passed and outcome.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
