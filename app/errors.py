"""Every error a caller can meet, each with its HTTP status and its stable code.

GatewayError
├── MalformedRequest             400 malformed_request
├── Unauthenticated              401 unauthenticated
├── Forbidden                    403
│   ├── InsufficientScope        403 insufficient_scope
│   ├── TenantDisabled           403 tenant_disabled
│   └── SecondPersonRequired     403 second_person_required
├── NotFound                     404 not_found
├── MethodNotAllowed             405 method_not_allowed
├── NotAcceptable                406 not_acceptable
├── Conflict                     409 conflict
├── IdempotencyInProgress        409 idempotency_in_progress
├── TicketInvalid                409 ticket_invalid
├── PayloadTooLarge              413 payload_too_large
├── UrlTooLong                   414 url_too_long
├── UnsupportedMediaType         415 unsupported_media_type
├── ValidationFailed             422 validation_failed
├── IdempotencyKeyReused         422 idempotency_key_reused
├── PreflightRequired            428 preflight_required
├── RateLimited                  429 rate_limited
├── HeadersTooLarge              431 headers_too_large
├── InternalError                500 internal_error
├── Overloaded                   503 overloaded
├── StateUnavailable             503 state_unavailable
├── NotCached                    504 not_cached
└── UpstreamFailure
    ├── UpstreamRejected         422 upstream_rejected
    ├── UpstreamQuotaExhausted   429 upstream_quota_exhausted
    ├── UpstreamMalformed        502 upstream_malformed
    ├── UpstreamError            502 upstream_error
    ├── UpstreamCredentialsRejected 502 upstream_credentials_rejected
    ├── UpstreamUnavailable      503 upstream_unavailable
    ├── UpstreamTimeout          504 upstream_timeout
    └── OutcomeUnknown           504 outcome_unknown

The classes know nothing of HTTP frameworks; `app.api.problems` writes them as RFC 9457 problem documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from app.texts import sentence


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused input field."""

    source: Literal["body", "parameter"]
    location: str
    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """What the platform itself said, as far as it may be passed on."""

    operation: str
    status: str | None = None
    message: str | None = None


class GatewayError(Exception):
    """Base of all errors; `detail` is for the reader of the problem document, `reason` for the log alone."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, reason: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.reason = reason


class MalformedRequest(GatewayError):
    status, code, title = 400, "malformed_request", "Malformed request"


class Unauthenticated(GatewayError):
    status, code, title = 401, "unauthenticated", "Authentication needed"


class Forbidden(GatewayError):
    status, code, title = 403, "forbidden", "Forbidden"


class InsufficientScope(Forbidden):
    code, title = "insufficient_scope", "Insufficient scope"


class TenantDisabled(Forbidden):
    code, title = "tenant_disabled", "Tenant disabled"


class SecondPersonRequired(Forbidden):
    """The tenant wants another person to let this campaign go out; nothing was sent."""

    code, title = "second_person_required", "Second person required"


class NotFound(GatewayError):
    status, code, title = 404, "not_found", "Not found"

    def __init__(self, detail: str, *, upstream: UpstreamAnswer | None = None) -> None:
        super().__init__(detail)
        self.upstream = upstream


class MethodNotAllowed(GatewayError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class NotAcceptable(GatewayError):
    status, code, title = 406, "not_acceptable", "Not acceptable"


class Conflict(GatewayError):
    status, code, title = 409, "conflict", "Conflict"

    def __init__(self, detail: str, *, upstream: UpstreamAnswer | None = None) -> None:
        super().__init__(detail)
        self.upstream = upstream


class IdempotencyInProgress(GatewayError):
    """The first request with this idempotency key is still under way."""

    status, code, title = 409, "idempotency_in_progress", "Request in progress"


class TicketInvalid(GatewayError):
    """The ticket of a preflight does not let this request through; nothing was sent."""

    status, code, title = 409, "ticket_invalid", "Ticket invalid"


class PayloadTooLarge(GatewayError):
    status, code, title = 413, "payload_too_large", "Payload too large"


class UrlTooLong(GatewayError):
    status, code, title = 414, "url_too_long", "URL too long"


class UnsupportedMediaType(GatewayError):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class ValidationFailed(GatewayError):
    """The request is well-formed but says something the contract does not allow; `errors` names every field."""

    status, code, title = 422, "validation_failed", "Validation failed"

    def __init__(self, detail: str, errors: Sequence[FieldError]) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


def parameters_refused(count: int) -> str:
    """Say how many query parameters are refused."""
    return "1 query parameter refused." if count == 1 else sentence("{count} query parameters refused.", count=count)


class IdempotencyKeyReused(GatewayError):
    """The idempotency key belongs to another request."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency key reused"


class PreflightRequired(GatewayError):
    """The tenant wants a preflight before anything is sent."""

    status, code, title = 428, "preflight_required", "Preflight required"


class RateLimited(GatewayError):
    """A limit of the tenant or of its key is used up."""

    status, code, title = 429, "rate_limited", "Rate limited"


class HeadersTooLarge(GatewayError):
    status, code, title = 431, "headers_too_large", "Headers too large"


class InternalError(GatewayError):
    """A fault of the gateway itself; says nothing of its cause to the caller."""


class Overloaded(GatewayError):
    """The gateway, or its share of the platform, has more to do than it can; nothing was sent."""

    status, code, title = 503, "overloaded", "Overloaded"


class StateUnavailable(GatewayError):
    """What must be remembered cannot be: the shared store or the database is gone; nothing was sent."""

    status, code, title = 503, "state_unavailable", "State unavailable"


class NotCached(GatewayError):
    """The caller wants a stored answer or none (RFC 9111, section 5.2.1.7), and there is none."""

    status, code, title = 504, "not_cached", "Not cached"


class UpstreamFailure(GatewayError):
    """The platform refused, failed or could not be reached."""

    def __init__(
        self,
        detail: str,
        *,
        upstream: UpstreamAnswer | None = None,
        headers: Mapping[str, str] | None = None,
        transient: bool = False,
        asked_to_wait: float | None = None,
    ) -> None:
        super().__init__(detail, headers=headers)
        self.upstream = upstream
        self.transient = transient
        self.asked_to_wait = asked_to_wait


class UpstreamRejected(UpstreamFailure):
    status, code, title = 422, "upstream_rejected", "Rejected by the platform"


class UpstreamQuotaExhausted(UpstreamFailure):
    status, code, title = 429, "upstream_quota_exhausted", "Platform quota exhausted"


class UpstreamMalformed(UpstreamFailure):
    status, code, title = 502, "upstream_malformed", "Unreadable platform reply"


class UpstreamError(UpstreamFailure):
    status, code, title = 502, "upstream_error", "Platform error"


class UpstreamCredentialsRejected(UpstreamFailure):
    status, code, title = 502, "upstream_credentials_rejected", "Platform credentials rejected"


class UpstreamUnavailable(UpstreamFailure):
    """The request certainly never reached the platform."""

    status, code, title = 503, "upstream_unavailable", "Platform unavailable"


class UpstreamTimeout(UpstreamFailure):
    status, code, title = 504, "upstream_timeout", "Platform timed out"


class OutcomeUnknown(UpstreamFailure):
    """A write left the gateway and nobody knows whether the platform carried it out."""

    status, code, title = 504, "outcome_unknown", "Outcome unknown"


class DatabaseError(Exception):
    """The database cannot be used; the text is one line that says why and holds no password."""
