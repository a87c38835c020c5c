"""What the platform's error codes mean: one table from its status word to the gateway's error.

The platform reports errors with HTTP 200 as `<result><status>CODE</status><data>text</data></result>` and documents
only some of its codes. A code that is not in the table is a refusal if it plainly names an error; its word and text
are passed on. One that does not leaves open what has happened.
"""

import re
from collections.abc import Callable

from app.errors import (
    Conflict,
    GatewayError,
    NotFound,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamQuotaExhausted,
    UpstreamRejected,
)

SUCCESS = frozenset({"success", "success_and_check_ok", "no_complete"})
"""Status words of replies that carry a result: 4.3 and others, 7.2, and 4.9.4's "still parsing"."""

_AROUND_STATUS = " \t\r\n\0\ufeff\u3000;,.:!\"'`，。；：！、“”‘’"
_NAMES_AN_ERROR = re.compile(
    r"(?:^|[^a-z])(?:err|error|errors|fail|fails|failed|failure|invalid|illegal|denied|refused|rejected|forbidden|not"
    r"|no|exist|exists|existed|exceed|exceeded|limit|limited|expired|missing|wrong|duplicate|disabled|empty)(?:$|[^a-z])"
)
_TELLS_SUCCESS = re.compile(r"成功|success|(?<![a-z])ok(?![a-z])", re.IGNORECASE)


_WITHIN_AN_HOUR = {"Retry-After": "3600"}


def _rejected(answer: UpstreamAnswer) -> GatewayError:
    return UpstreamRejected("The platform refused the request.", upstream=answer)


def _not_found(answer: UpstreamAnswer) -> GatewayError:
    return NotFound("The platform does not know this resource.", upstream=answer)


def _conflict(answer: UpstreamAnswer) -> GatewayError:
    return Conflict("The platform says that the resource's present state does not allow this.", upstream=answer)


def _credentials(answer: UpstreamAnswer) -> GatewayError:
    return UpstreamCredentialsRejected("The platform refused the tenant's U-Mail login.", upstream=answer)


def _quota(answer: UpstreamAnswer) -> GatewayError:
    detail = "The platform's own limit is used up: 100 new campaigns an hour."
    return UpstreamQuotaExhausted(detail, upstream=answer, headers=_WITHIN_AN_HOUR)


FAULTS: dict[str, Callable[[UpstreamAnswer], GatewayError]] = {
    # Documented: 4.3, 4.4, 4.5, 4.9.4.
    "add_maillist_error": _rejected,
    "add_describe_error": _rejected,
    "update_maillist_error": _rejected,
    "update_describe_error": _rejected,
    "delete_address_error": _rejected,
    "delete_describe_error": _rejected,
    "delete_maillist_error": _rejected,
    "error": _rejected,
    "not_exist": _not_found,
    # Not documented. The manual leaves open what a wrong login gets, and names no code for the rest.
    "auth_error": _credentials,
    "auth_failed": _credentials,
    "login_error": _credentials,
    "login_failed": _credentials,
    "unauthorized": _credentials,
    "customer_not_exist": _not_found,
    "address_exist": _conflict,
    "domain_exist": _conflict,
    "domain_verified": _conflict,
    "mailbox_exist": _conflict,
    "task_status_error": _conflict,
    "call_limit": _quota,
}


def status_word(status: str) -> str:
    """Return a status as the table writes it: in small letters and without punctuation."""
    return status.strip(_AROUND_STATUS).lower()


def is_refusal(word: str, message: str) -> bool:
    """Tell whether the platform certainly refused; what it says of success in the text leaves that open."""
    if word in FAULTS:
        return True
    return _NAMES_AN_ERROR.search(word) is not None and not _TELLS_SUCCESS.search(message)


def fault(answer: UpstreamAnswer) -> GatewayError:
    """Return the error for a reply whose status word is not one of success."""
    return FAULTS.get(status_word(answer.status or ""), _rejected)(answer)
