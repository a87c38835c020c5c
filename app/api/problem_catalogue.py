"""The catalogue of problems: what every kind means, and an example of each."""

from typing import Any

from app.api.problems import Problem
from app.errors import (
    Conflict,
    GatewayError,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InsufficientScope,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    NotCached,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    PreflightRequired,
    RateLimited,
    SecondPersonRequired,
    StateUnavailable,
    TenantDisabled,
    TicketInvalid,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamQuotaExhausted,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    UrlTooLong,
    ValidationFailed,
)

_DETAILS: dict[type[GatewayError], str] = {
    MalformedRequest: "The body is not valid JSON: UTF-8, each name of an object once, no NaN.",
    Unauthenticated: "A valid API key is needed, as `Authorization: Bearer <key>` or `X-API-Key: <key>`."
    " The gateway's operators give out keys.",
    InsufficientScope: "This needs a key with the scope `write`.",
    TenantDisabled: "This tenant is disabled.",
    SecondPersonRequired: "You made or last changed this campaign; another person must release it. Nothing was sent.",
    NotFound: "There is no contact list 418801.",
    MethodNotAllowed: "This path does not take this method; `Allow` lists those it takes.",
    NotAcceptable: "This resource is application/json.",
    Conflict: "The resource's present state does not allow it.",
    IdempotencyInProgress: "The first request with this key is still under way.",
    TicketInvalid: "This ticket has been used already. Nothing was sent; ask for a new preflight.",
    PayloadTooLarge: "The body is larger than 10485760 bytes.",
    UrlTooLong: "The URL is longer than 8192 bytes.",
    UnsupportedMediaType: "The body must be application/json.",
    ValidationFailed: "1 field refused.",
    IdempotencyKeyReused: "This key has been used for another request; a new request needs a new key.",
    UpstreamRejected: "The platform refused the request.",
    PreflightRequired: "This needs a ticket of `POST /v1/campaigns/preflight`, in the header `Preflight-Ticket`."
    " Nothing was sent.",
    RateLimited: "This tenant has used up its limit of 600 requests a minute.",
    UpstreamQuotaExhausted: "The platform takes 100 new campaigns an hour, and this hour's are used up. Nothing was"
    " sent.",
    HeadersTooLarge: "The request's head is larger than 32768 bytes.",
    InternalError: "The gateway failed; the request id finds the cause in its log.",
    UpstreamMalformed: "The platform's reply cannot be read.",
    UpstreamError: "The platform answered HTTP 500.",
    UpstreamCredentialsRejected: "The platform refused the tenant's U-Mail login.",
    UpstreamUnavailable: "The platform could not be reached: connection refused. Nothing was sent; trying again is"
    " safe.",
    Overloaded: "More requests are under way than the gateway takes on at once.",
    StateUnavailable: "What an idempotency key promises cannot be kept at the moment: the store is gone. Nothing was"
    " sent.",
    NotCached: "There is no stored answer, and the request wants no other.",
    UpstreamTimeout: "The platform did not answer in time.",
    OutcomeUnknown: "The request was sent, and nobody knows what became of it. `GET /v1/lists` shows whether the list"
    " is there.",
}
EXPLANATIONS: dict[type[GatewayError], str] = {
    MalformedRequest: "The request cannot be read: broken JSON, a bad form, a bad header. `detail` says where.",
    Unauthenticated: "No API key, or one that is wrong, revoked or expired. The gateway's operators give out keys.",
    InsufficientScope: "The key may not do this; `detail` names the scope. Ask the operators for a key that has it.",
    TenantDisabled: "The operators have disabled this tenant.",
    SecondPersonRequired: "The tenant demands that another person releases this campaign.",
    TicketInvalid: "The preflight's ticket is unknown, used, expired or another request's; ask for a new preflight.",
    PreflightRequired: "The tenant demands a preflight's ticket; ask for one.",
    NotFound: "There is nothing at this path, or the platform knows no such resource.",
    MethodNotAllowed: "The path does not take this method; `Allow` lists those it takes.",
    NotAcceptable: "The resource does not come in any media type that `Accept` names.",
    Conflict: "The resource is not in a state in which this can be done; `detail` says why.",
    IdempotencyInProgress: "The first request with this idempotency key is still running. Ask again after"
    " `Retry-After`.",
    PayloadTooLarge: "The body is larger than the gateway takes. Send less at once, or use an import.",
    UrlTooLong: "The URL is longer than the gateway takes.",
    UnsupportedMediaType: "The body has a media type that this path does not take; `Accept` names those it takes.",
    ValidationFailed: "A field or parameter is not as documented; `errors` names every one.",
    IdempotencyKeyReused: "This idempotency key belongs to another request. Take a new key for every new request.",
    UpstreamRejected: "The platform refused the request; `upstream` holds its own words.",
    RateLimited: "A limit of the tenant or of the key is used up. Ask again after `Retry-After`.",
    UpstreamQuotaExhausted: "The platform takes 100 new campaigns an hour, and they are used up. Nothing was sent.",
    HeadersTooLarge: "The request's headers are larger than the gateway takes.",
    InternalError: "A fault of the gateway. Tell the operators the `request_id`.",
    UpstreamMalformed: "The platform's reply cannot be read. Operators see in the log what was wrong with it.",
    UpstreamError: "The platform answered with an HTTP error. Reads can be repeated.",
    UpstreamCredentialsRejected: "The platform refused the tenant's U-Mail login. Operators must mend it.",
    UpstreamUnavailable: "The platform cannot be reached. Nothing was sent; repeat after `Retry-After`.",
    Overloaded: "The gateway or its share of the platform is busy. Nothing was sent; repeat after `Retry-After`.",
    StateUnavailable: "The gateway's store or database is away. Nothing was sent; repeat after `Retry-After`.",
    NotCached: "The request wants a cached answer only (`only-if-cached`), and there is none.",
    UpstreamTimeout: "The platform did not answer a read in time. It can be repeated.",
    OutcomeUnknown: "The request was sent, and the platform's answer is missing: it may have been carried out. Do not"
    " simply repeat it; `detail` says how to find out.",
}
"""In the order of their statuses."""

_UPSTREAM: dict[type[GatewayError], dict[str, str]] = {
    UpstreamRejected: {"operation": "lists.edit", "status": "error", "message": "参数错误"},
    UpstreamError: {"operation": "lists.list", "status": "500"},
    UpstreamCredentialsRejected: {"operation": "lists.list", "status": "401"},
    UpstreamUnavailable: {"operation": "lists.list", "message": "connection refused"},
}
_FIELDS: list[dict[str, Any]] = [
    {"pointer": "/contacts/3/email", "code": "email_address", "message": "is not an e-mail address: it has no @"}
]


def problem_examples() -> dict[str, dict[str, Any]]:
    """Return the document's examples of problems, by their codes."""
    return {kind.code: {"summary": kind.title, "value": _problem(kind, detail)} for kind, detail in _DETAILS.items()}


def _problem(kind: type[GatewayError], detail: str) -> dict[str, Any]:
    problem = Problem.model_validate(
        {
            "type": f"urn:umail-gateway:problem:{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "instance": "/v1/lists/418801",
            "code": kind.code,
            "request_id": "5b0c6c3e4a5f4b0e8d8f4f0c8a1d2e3f",
            "errors": _FIELDS if kind is ValidationFailed else None,
            "upstream": _UPSTREAM.get(kind),
        }
    )
    return problem.model_dump(exclude_none=True)
