"""Sessions of operators, and what their forms must carry."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.responses import Response

from app.api.authentication import AdminCredential
from app.errors import InsufficientScope, MalformedRequest, PayloadTooLarge

COOKIE = "umail_gateway_operator"
FORM_FIELD = "form_token"
_SECONDS = 8 * 3600
_MOST_BYTES = 8192
_MOST_FIELDS = 30


class Sessions:
    """Cookies signed with a key derived from the operators' token: any process knows them, a new token ends them."""

    def __init__(self, token: str, credential: AdminCredential, *, seconds_now: Callable[[], float]) -> None:
        self._key = hashlib.blake2b(token.encode(), digest_size=32, person=b"status page").digest()
        self._credential = credential
        self._now = seconds_now

    def sign_in(self, token: str, request: Request) -> str:
        """Check the operators' token and return the value of a new session's cookie.

        Raises:
            Unauthenticated: it is wrong.
            RateLimited: too many wrong ones have come from this address.
        """
        self._credential.check(token, request.state.context.client_address)
        request.state.context.is_operator = True
        stamp = f"{int(self._now()) + _SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{stamp}.{self._signed('session', stamp)}"

    def of(self, request: Request) -> str | None:
        """Return the session of a request, if it has a valid one."""
        session = request.cookies.get(COOKIE, "")
        stamp, _, signature = session.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signed("session", stamp).encode()):
            return None
        if int(stamp.partition(".")[0]) <= self._now():
            return None
        request.state.context.is_operator = True
        return session

    def form_token(self, session: str) -> str:
        """Return what the forms of a session carry, which other sites cannot know."""
        return self._signed("form", session)

    async def form(self, request: Request, session: str) -> dict[str, str]:
        """Return the fields of a form of the session's.

        Raises:
            InsufficientScope: the form is somebody else's.
        """
        fields = await read_form(request)
        if not hmac.compare_digest(fields.pop(FORM_FIELD, "").encode(), self.form_token(session).encode()):
            raise InsufficientScope("This form is not of your session. Load the page again.")
        return fields

    def _signed(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


async def read_form(request: Request) -> dict[str, str]:
    """Read a small form."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise PayloadTooLarge("The form is too large.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise MalformedRequest("The form cannot be read.") from None


def set_cookie(response: Response, request: Request, session: str, *, seconds: int = _SECONDS) -> Response:
    """Give the browser a session, or with no seconds take it away."""
    # Whoever lies about the scheme keeps only the own cookie from coming back.
    is_https = "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
    path = f"{request.state.context.root_path}/admin"
    response.set_cookie(COOKIE, session, max_age=seconds, path=path, secure=is_https, httponly=True, samesite="strict")
    return response
