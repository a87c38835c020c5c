"""Small faults put into named modules, one at a time, to see whether the tests notice.

    python -m tests.mutation TARGET [--only N]

A target names modules, the functions in them that matter (all by default), and the tests that must notice. Each fault
(a comparison, a condition, a constant or a boolean operator) is put into a copy of the tree, where the tests then run;
faults that no test notices are printed with their line. Run by hand: a target takes minutes.
"""

import argparse
import ast
import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 300
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Target:
    """Modules to put faults into, and the tests that must notice; `functions` narrows them down by name."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    functions: frozenset[str] = frozenset()


TARGETS = {
    "cache": Target(
        (
            "app/policies/cache/cache.py",
            "app/policies/cache/model.py",
            "app/policies/cache/memory.py",
            "app/policies/cache/valkey.py",
        ),
        ("tests/policies/cache",),
    ),
    "limits": Target(
        ("app/policies/rate_limits.py", "app/policies/rate_limits_in_valkey.py"),
        ("tests/policies/limits",),
    ),
    "breaker": Target(
        ("app/policies/breaker.py",),
        ("tests/policies/test_breaker.py", "tests/policies/test_breakers.py"),
    ),
    "retry": Target(
        ("app/policies/retry.py", "app/gateway/failures.py", "app/gateway/admission.py"),
        (
            "tests/policies/test_retry.py",
            "tests/policies/test_retry_after.py",
            "tests/policies/test_budget.py",
            "tests/resilience/test_decisions.py",
            "tests/gateway/test_admission.py",
        ),
    ),
}


@dataclass(frozen=True)
class Fault:
    """One fault: where it is, what it is, and the module's text with it."""

    module: str
    line: int
    what: str
    text: str


def faults(module: str, source: str, functions: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """Yield every fault that can be put into a module."""
    tree = ast.parse(source)
    for index, node in enumerate(ast.walk(tree)):
        if functions and not _within(tree, node, functions):
            continue
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(each for number, each in enumerate(ast.walk(changed)) if number == index)
            change(target)
            text = ast.unparse(ast.fix_missing_locations(changed))
            yield Fault(module, getattr(node, "lineno", 0), what, text)


def _within(tree: ast.AST, node: ast.AST, functions: frozenset[str]) -> bool:
    named = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(node is inner for each in named if each.name in functions for inner in ast.walk(each))


def _changes(node: ast.AST) -> Iterator[tuple[str, "_Change"]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            yield f"{_name(operator)} becomes {_COMPARISONS[type(operator)].__name__}", _Comparison(place)
    elif isinstance(node, ast.BoolOp):
        yield "and/or swapped", _boolean
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition negated", _negation
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not removed", _without_not
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield f"{_name(node.op)} becomes {_OPERATORS[type(node.op)].__name__}", _arithmetic
    elif isinstance(node, ast.Constant) and type(node.value) in {int, float, bool}:
        yield f"{node.value!r} changed", _constant


class _Comparison:
    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[self._place] = _COMPARISONS[type(node.ops[self._place])]()


def _boolean(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _negation(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.IfExp | ast.While)
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _without_not(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    node.op = ast.UAdd()
    node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])


def _arithmetic(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp)
    node.op = _OPERATORS[type(node.op)]()


def _constant(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    value = node.value
    node.value = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else value


_Change = Callable[[ast.AST], None]


def _name(node: ast.AST) -> str:
    return type(node).__name__


def survives(tree: Path, fault: Fault, tests: tuple[str, ...]) -> bool:
    """Tell whether the tests pass with a fault in a copy of the tree."""
    path = tree / fault.module
    original = path.read_text(encoding="utf-8")
    path.write_text(fault.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout=60", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(original, encoding="utf-8")
    return done.returncode == 0


def run(target: Target, only: str = "") -> list[Fault]:
    """Put every fault of a target in, print those that survive, and return them."""
    survivors: list[Fault] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(
            ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".*_cache")
        )
        found = [
            fault
            for module in target.modules
            if only in module
            for fault in faults(module, (tree / module).read_text(encoding="utf-8"), target.functions)
        ]
        if not survives(tree, Fault(found[0].module, 0, "nothing", (tree / found[0].module).read_text()), target.tests):
            raise SystemExit("the tests fail without any fault")
        for number, fault in enumerate(found, 1):
            if survives(tree, fault, target.tests):
                survivors.append(fault)
                print(f"survives: {fault.module}:{fault.line}: {fault.what}", flush=True)
            elif number % 20 == 0:
                print(f"{number} of {len(found)}", flush=True)
    print(f"{len(found) - len(survivors)} of {len(found)} faults noticed")
    return survivors


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--only", default="", help="only modules whose path holds this")
    options = parser.parse_args()
    run(TARGETS[options.target], options.only)


if __name__ == "__main__":
    main()
