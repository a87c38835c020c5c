"""The endpoint of the console login."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from app.api.deps import ReadCall, resource_router
from app.api.documentation import describes
from app.api.negotiation import accept_header, preferred
from app.api.openapi_answers import headers
from app.api.problems import problem_responses
from app.api.responses import answer
from app.errors import ValidationFailed
from app.gateway.operation import Effect
from app.resources.console.page import login_form, login_page
from app.resources.console.schemas import LoginForm, UserType, WebAddress

router = resource_router("/v1/console", "Console login")

_JSON, _HTML = "application/json", "text/html"


@router.get(
    "/login",
    summary="Get the console's login form",
    response_model=LoginForm,
    responses={
        200: {
            "content": {_HTML: {"schema": {"type": "string"}}},
            "description": "The form, as data or as a page",
            "headers": headers("Vary"),
        },
        **problem_responses(ValidationFailed),
    },
    openapi_extra=describes(Effect.READ, {"section": "8.1"}),
)
async def get_console_login(
    call: ReadCall,
    user_type: Annotated[UserType, Query(description="The kind of user selected to begin with.")] = "customer",
    errurl: Annotated[
        WebAddress | None,
        Query(
            description="Where the platform sends the browser after a wrong login. Its manual asks for `http://`.",
            examples=["http://www.example.com/login-failed"],
        ),
    ] = None,
) -> Response:
    """Return the login form of the platform's own console (manual 8.1).

    As JSON it describes the form, for a page of your own; with `Accept: text/html` it is a plain page that the
    user's browser sends straight to the platform. The gateway never sees or fills in the password.
    """
    form = login_form(call.caller.tenant.upstream.base_url, user_type=user_type, errurl=errurl)
    if preferred(accept_header(call.request.headers), (_JSON, _HTML)) == _HTML:
        return login_page(form)
    return answer(form, headers={"Vary": "Accept"})
