"""What an import may take."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """Limits of imports, each a setting.

    Args:
        rows: the most rows of one body.
        idle: seconds that a body may pause.
        wait: the most seconds that a client may wait for an import to complete.
        poll: seconds after which the platform is first asked again for a client that waits.
    """

    rows: int
    idle: float
    wait: int
    poll: float


async def import_limits(request: Request) -> ImportLimits:
    """Return the application's limits of imports."""
    found: ImportLimits = request.app.state.import_limits
    return found


ImportLimitsDep = Annotated[ImportLimits, Depends(import_limits)]
