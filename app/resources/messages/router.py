"""Endpoint of messages (manual, chapter 10)."""

from starlette.responses import Response

from app.api.deps import SendCall, resource_router
from app.api.documentation import WITH_KEY, describes
from app.api.problems import problem_responses
from app.api.responses import answer
from app.errors import Conflict, OutcomeUnknown, UpstreamRejected, ValidationFailed
from app.gateway.operation import Effect
from app.resources.messages.conversion import outgoing, submitted
from app.resources.messages.schemas import NewMessage, SubmittedMessage

router = resource_router("/v1/messages", "Messages")


@router.post(
    "",
    summary="Send a message",
    response_model=SubmittedMessage,
    status_code=202,
    responses=problem_responses(*WITH_KEY, Conflict, ValidationFailed, UpstreamRejected, OutcomeUnknown),
    openapi_extra=describes(Effect.SEND, {"section": "10"}),
)
async def submit_message(body: NewMessage, call: SendCall) -> Response:
    """Hand a message to the tenant's SMTP relay, once.

    Some recipients may be refused while the others get the message; `rejected` lists them. If all are refused, nothing
    is sent and the answer is 422. A tenant without a relay gets 409. After 504 `outcome_unknown` the relay may or may
    not have the message: its `detail` holds the Message-ID to look for.
    """
    return answer(submitted(await call.services.submitter.submit(outgoing(body), call.caller)), status=202)
