"""Loading the gateway into a process that will serve: faster, and less of it, than it would come by itself."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NOT_USED = ("rich", "pydantic.v1")
"""What libraries look for and do without where it is not installed: structlog for coloured tracebacks, which no log of
ours has, FastAPI for telling models of pydantic's first version, which there are none of. Together 8 MB of every worker
and a tenth of a second of its start."""


@contextmanager
def loading() -> Iterator[None]:
    """Keep away what is not used, and the garbage collector, while the gateway is imported in this context.

    What is loaded stays, so that looking for garbage among it takes time and finds little. Afterwards everything can be
    imported again.
    """
    kept_away = [name for name in _NOT_USED if name not in sys.modules]
    # With None in its place a module cannot be imported, as if it were not there.
    sys.modules.update(dict.fromkeys(kept_away))  # type: ignore[arg-type]
    gc.disable()
    try:
        yield
    finally:
        for name in kept_away:
            del sys.modules[name]
        gc.enable()
