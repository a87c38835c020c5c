"""The envelope around every call: parameters and credentials on the way in, `<result>` on the way out."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlencode, urljoin

from app.errors import UpstreamAnswer
from app.tenants.models import UpstreamAccount
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.faults import FAULTS, SUCCESS, fault
from app.upstream.listing import parse_listing
from app.upstream.multipart import File, StoredFile, Upload, stream_multipart, write_multipart
from app.upstream.redaction import Redact
from app.upstream.values import text as as_text
from app.upstream.xml import NotWellFormed, decode_text, looks_like_html

_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an operation sends.

    Args:
        query: parameters of the URL, beside `do`.
        form: fields of a body; None sends a GET, unless there are files.
        files: files of a multipart body.
        upload: instead of those, one file of any size, which is read as it is sent.
    """

    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: tuple[File, ...] = ()
    upload: StoredFile | None = None


@dataclass(slots=True)
class WireRequest:
    """An HTTP request ready to send, its body in memory or an upload.

    Its URL and headers may hold credentials, so its repr shows neither.
    """

    # Not frozen, like the reply: that would make them as slow to build as all the rest of sending one.

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    upload: Upload | None = None


@dataclass(slots=True)
class WireReply:
    """An HTTP reply, read whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def address(
    script: str,
    do: str | None,
    parameters: Parameters,
    account: UpstreamAccount,
    further: Mapping[str, str] = MappingProxyType({}),
) -> WireRequest:
    """Write a request and add the account's credentials (manual, chapter 9), and further headers.

    `basic` sends HTTP Basic with the clear password in UTF-8 (RFC 7617) and belongs to `/apinew/`; `legacy` sends the
    user and the md5 of the password in the query and belongs to `/api/`.
    """
    plain = _without_parameters(account, script, do)
    url, headers = plain.url, {**plain.headers, **further}
    if parameters.query:
        url = f"{url}{'&' if '?' in url else '?'}{_urlencoded(parameters.query)}"
    if parameters.upload:
        headers["Content-Type"], upload = stream_multipart(parameters.form or {}, parameters.upload)
        headers["Content-Length"] = str(upload.size)
        return WireRequest("POST", url, headers, upload=upload)
    if parameters.files:
        headers["Content-Type"], body = write_multipart(parameters.form or {}, parameters.files)
        return WireRequest("POST", url, headers, body)
    if parameters.form is None:
        return WireRequest("GET", url, headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    return WireRequest("POST", url, headers, _urlencoded(parameters.form).encode("ascii"))


class _Plain(NamedTuple):
    url: str
    headers: Mapping[str, str]


# A few thousand: some operations each of the tenants that are busy now.
@lru_cache(maxsize=5000)
def _without_parameters(account: UpstreamAccount, script: str, do: str | None) -> _Plain:
    headers = {"Accept": "application/xml, text/xml, text/html, text/plain", "Accept-Encoding": "identity"}
    headers["User-Agent"] = "umail-gateway"
    query = {"do": do} if do else {}
    password = account.password.get_secret_value()
    if account.auth == "basic":
        token = base64.b64encode(f"{account.username}:{password}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {token}"
    else:
        digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
        query = {"username": account.username, "password": digest, **query}
    url = urljoin(account.base_url, script)
    return _Plain(f"{url}?{_urlencoded(query)}" if query else url, MappingProxyType(headers))


def _urlencoded(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote, safe="")


def secrets_of(parameters: Parameters, names: Iterable[str], account: UpstreamAccount) -> list[str]:
    """Return what no text may quote of a request: the values of its secret parameters, and the account's login."""
    password = account.password.get_secret_value()
    digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    given = {**parameters.query, **(parameters.form or {})}
    return [*(given[name] for name in names if name in given), password, digest, f"{account.username}:{password}"]


def open_document(reply: WireReply, zone: tzinfo, *, plain_text: bool = False, redact: Redact = str) -> Document:
    """Read a reply's bytes as a document.

    Args:
        reply: the reply.
        zone: the platform's time zone.
        plain_text: whether plain text is promised; it becomes the content of a document without a root. Such calls
            answer their errors, and sometimes their data, in XML all the same, which is read as XML.
        redact: masks secrets in what is told of the reply outside its data.

    Raises:
        UnexpectedForm: a web page, an empty body, or not well-formed XML.
    """
    text, clean = decode_text(reply.body, reply.headers.get("content-type", ""))
    if looks_like_html(text):
        raise UnexpectedForm("a web page instead of XML")
    if plain_text and not text.lstrip().startswith("<"):
        document = Document("", text, zone, redact=redact)
        return document if clean else document.noting(DriftKind.UNDECODABLE_BYTES, "")
    if not text.strip():
        raise UnexpectedForm("an empty body")
    try:
        root, content = parse_listing(text)
    except NotWellFormed as error:
        raise UnexpectedForm(str(error)) from None
    document = Document(root, content, zone, redact=redact)
    return document if clean else document.noting(DriftKind.UNDECODABLE_BYTES, root)


def unwrap(document: Document, operation: str, root: str | None) -> None:
    """Check that a document is what the operation promises.

    Args:
        document: the reply.
        operation: the gateway's name of the operation, for the error.
        root: the expected root element; `result` for calls that answer with a status only, None for plain text.

    Raises:
        GatewayError: the reply is a `<result>` with an error status (see `app.upstream.faults`).
        UnexpectedForm: the reply is another document.
    """
    if document.root == "result":
        status = document.leaf("status", as_text)
        if status is None:
            raise UnexpectedForm("a result without a status")
        if status not in SUCCESS:
            raise fault(_refusal(document, operation, status))
        document.status = status
    if root is not None and document.root != root:
        raise UnexpectedForm(f"a document <{document.redact(document.root)[:64]}> where <{root}> was promised")


def _refusal(document: Document, operation: str, status: str) -> UpstreamAnswer:
    # Masked before it is cut: half a secret would not be found.
    message = document.redact(document.leaf("data", as_text) or "")[:_MESSAGE_LENGTH]
    word = status if status in FAULTS else document.redact(status)[:_MESSAGE_LENGTH]
    return UpstreamAnswer(operation, word, message or None)
