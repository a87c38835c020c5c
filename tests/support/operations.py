"""Every operation of the platform that the gateway knows."""

import importlib
import pkgutil
from typing import Any

import app.resources
from app.gateway.operation import Export, Operation

AnyOperation = Operation[Any, Any] | Export[Any]


def operations() -> list[AnyOperation]:
    """Return every operation of every resource, and those that several resources use."""
    found: dict[str, AnyOperation] = {}
    names = [module.name for module in pkgutil.walk_packages(app.resources.__path__, "app.resources.")]
    for name in ["app.gateway.identifiers", *names]:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, Operation | Export):
                assert found.setdefault(value.name, value) is value, f"two operations are called {value.name}"
    return list(found.values())
