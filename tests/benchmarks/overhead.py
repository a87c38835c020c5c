"""What the whole chain costs a read that is kept nowhere, against the platform asked directly.

    python -m tests.benchmarks.overhead [--rounds 5] [--seconds 2] [--concurrency 1 32]

The gateway runs as `umail-gateway serve` with all policies on and a lifetime of 0 for everything: every request is
authenticated, limited, encoded, admitted, sent, decoded and written. The platform answers at once. Both are asked in
turns in every round; client, gateway and platform share the machine's cores.
"""

import argparse
from contextlib import ExitStack

from tests.benchmarks.exports import process
from tests.benchmarks.load import Figures, LoadGenerator, Target, get
from tests.benchmarks.servers import ASK, gateway, run_platform
from tests.benchmarks.tables import machine, table

_DIRECT = "platform asked directly"
_UPSTREAM = "/mm-ms/apinew/mloperate.php?do=maillist-list"


def compare(load: LoadGenerator, targets: dict[str, Target], concurrency: int, options: argparse.Namespace) -> str:
    """Measure in turns; return a table."""
    rounds: dict[str, list[Figures]] = {}
    for target in targets.values():
        load.press(target, concurrency=concurrency, seconds=0.5)
    for _ in range(options.rounds):
        for name, target in targets.items():
            rounds.setdefault(name, []).append(load.press(target, concurrency=concurrency, seconds=options.seconds))
    return table(rounds, _DIRECT)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--lists", type=int, default=10, help="how many the answer holds")
    options = parser.parse_args()
    load = LoadGenerator()
    print(f"{machine()}; {options.rounds} rounds")
    with ExitStack() as stack:
        platform, _ = stack.enter_context(process(run_platform, options.lists, 0.0))
        port, pid = stack.enter_context(gateway(platform, cache_lifetimes='{"*": 0}'))
        targets = {_DIRECT: Target(platform, get(_UPSTREAM)), "through the gateway": Target(port, ASK, pid=pid)}
        for concurrency in options.concurrency:
            print(f"\n{concurrency} at once\n\n{compare(load, targets, concurrency, options)}")
    load.close()


if __name__ == "__main__":
    main()
