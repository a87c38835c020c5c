"""Content negotiation (RFC 9110, sections 8.3 and 12.5.1)."""

from collections.abc import Sequence
from email.message import Message

from starlette.datastructures import Headers


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is JSON in UTF-8."""
    header = Message()
    header["Content-Type"] = content_type
    subtype = header.get_content_type()
    charset = header.get_param("charset", "utf-8")
    is_utf8 = isinstance(charset, str) and charset.lower() in {"utf-8", "utf8", "us-ascii"}
    return bool(content_type) and is_utf8 and (subtype == "application/json" or subtype.endswith("+json"))


def accept_header(headers: Headers) -> str:
    """Return the Accept header, its lines joined (RFC 9110, section 5.3)."""
    return ",".join(headers.getlist("accept"))


def accepts(accept: str, media_type: str) -> bool:
    """Tell whether an Accept header admits a media type."""
    return quality(accept, media_type) > 0


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Return the media type offered that an Accept header ranks highest, the first of equals; None if none will do."""
    best = max(offered, key=lambda media_type: quality(accept, media_type))
    return best if accepts(accept, best) else None


def quality(accept: str, media_type: str) -> float:
    """Return the weight (0 to 1) an Accept header gives a media type; the most specific range that matches decides."""
    if not accept.strip():
        return 1.0
    main = media_type.partition("/")[0]
    weights = {"*/*": -1.0, f"{main}/*": -1.0, media_type: -1.0}
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_range in weights:
            weights[media_range] = max(weights[media_range], _quality(parameters))
    specific_first = (weights[media_type], weights[f"{main}/*"], weights["*/*"])
    return next((weight for weight in specific_first if weight >= 0), 0.0)


def prefers_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header admits gzip and does not rank the plain form higher.

    Without the header the answer stays as it is: many a client that sends none cannot undo it.
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[coding] = _quality(parameters)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
