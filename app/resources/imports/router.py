"""Endpoints of imports."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Path, Query, Request
from pydantic import BaseModel, WithJsonSchema
from starlette.responses import Response

from app.api.deps import ReadCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.negotiation import preferred_wait
from app.api.responses import answer
from app.api.routing import takes_large_body
from app.api.types import Id
from app.gateway.pages import Collection
from app.resources.imports import operations
from app.resources.imports.body import CSV, JSON, MULTIPART, NDJSON, open_file
from app.resources.imports.schemas import (
    ContactsCsv,
    ContactsFile,
    ContactsJson,
    ContactsNdjson,
    Import,
    ImportAccepted,
    ImportRecord,
    OnInvalid,
)

_GROWTH = 1.5
_LONGEST = 5.0


async def wait_for(request: Request, read: Callable[[], Awaitable[Import]], seconds: float, poll: float) -> Import:
    """Read an import until it is worked off, time is up or the client has left; returns what was read last."""
    now = asyncio.get_running_loop().time
    end = now() + seconds
    found = await read()
    while found.status == "processing" and now() < end:
        if await _has_left(request, min(poll, end - now())):
            break
        poll = min(poll * _GROWTH, _LONGEST)
        found = await read()
    return found


async def _has_left(request: Request, seconds: float) -> bool:
    """Watch a client, whose request has no body, for some seconds, or until it leaves."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


router = resource_router("/v1", "Imports")

_BODIES: dict[str, type[BaseModel]] = {
    JSON: ContactsJson,
    NDJSON: ContactsNdjson,
    CSV: ContactsCsv,
    MULTIPART: ContactsFile,
}


@router.post(
    "/lists/{list_id}/imports",
    **documents(
        operations.CREATE,
        summary="Import contacts",
        bodies=_BODIES,
        carries=("Location",),
        response_model=ImportAccepted,
        status_code=202,
    ),
)
@takes_large_body
async def create_import(
    list_id: Annotated[Id, Path(description="The contact list's id.", examples=[418801])],
    call: WriteCall,
    on_invalid: Annotated[
        OnInvalid,
        Query(description="What an invalid row does: `reject` the whole import, or be left out (`skip`)."),
    ] = "reject",
) -> Response:
    """Hand any number of contacts to the platform, which works them off later and updates contacts it knows.

    The body is read as it arrives. Rows are checked one by one, and nothing reaches the platform before all have been.
    """
    async with open_file(call.request, on_invalid, call.services.import_limits) as file:
        begun = call.services.platform_clock.present(call.caller.tenant.upstream.base_url)
        accepted = await call.run(operations.CREATE, operations.NewImport(list_id, file))
        await call.watch("import", accepted.id, {"filename": file.name, "begun_at": begun.isoformat()})
    return answer(accepted, status=202, headers={"Location": f"/v1/imports/{accepted.id}"})


@router.get("/imports", **documents(operations.LIST, summary="List imports", response_model=Collection[ImportRecord]))
async def list_imports(call: ReadCall) -> Response:
    """Return the platform's log of imports."""
    return await call.read(operations.LIST, None)


@router.get(
    "/imports/{import_id}",
    **documents(operations.GET, carries=("Preference-Applied",), summary="Get an import", response_model=Import),
)
async def get_import(
    import_id: Annotated[Id, Path(description="The import's id.", examples=[71601])],
    call: ReadCall,
    prefer: Annotated[
        list[str] | None,
        # Several lines are one list (RFC 9110, section 5.3), and clients write one.
        WithJsonSchema({"type": "string", "examples": ["wait=30"]}),
        Header(
            description="`wait=N` (RFC 7240): the answer may take up to N seconds, if the import is completed by then. "
            "`Preference-Applied` says how long at most it was waited.",
        ),
    ] = None,
) -> Response:
    """Tell whether the platform has worked off an import."""
    wait = preferred_wait(prefer or ())
    if wait is None:
        return await call.read(operations.GET, import_id)
    limits = call.services.import_limits
    wait = min(wait, limits.wait)
    found = await wait_for(call.request, lambda: call.run(operations.GET, import_id), wait, limits.poll)
    return answer(found, headers={"Preference-Applied": f"wait={wait}"})
