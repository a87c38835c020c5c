"""Endpoints of the tenant's own account."""

from starlette.responses import Response

from app.api.deps import ReadCall, resource_router
from app.api.documentation import documents
from app.resources.account import operations
from app.resources.account.schemas import Account, Service

router = resource_router("/v1/account", "Account")


@router.get("", **documents(operations.GET_ACCOUNT, summary="Get the account", response_model=Account))
async def get_account(call: ReadCall) -> Response:
    """Return the master data of the U-Mail account behind the API key."""
    return await call.read(operations.GET_ACCOUNT, None)


@router.get("/service", **documents(operations.GET_SERVICE, summary="Get quota and validity", response_model=Service))
async def get_account_service(call: ReadCall) -> Response:
    """Return what the account may send, how much of it is left, and until when."""
    return await call.read(operations.GET_SERVICE, None)
