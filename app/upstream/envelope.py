"""The envelope around every call: parameters and credentials on the way in, `<result>` on the way out."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urljoin

from app.errors import UpstreamAnswer
from app.tenants.models import UpstreamAccount
from app.upstream.document import Document, DriftKind, Items, UnexpectedForm, many
from app.upstream.drift import UnknownStatus
from app.upstream.encodings import decode_text
from app.upstream.faults import FAULTS, SUCCESS, fault, is_refusal, status_word
from app.upstream.forms import Run, Tree
from app.upstream.markup import SURPLUS
from app.upstream.multipart import File, StoredFile, Upload, stream_multipart, write_multipart
from app.upstream.reader import XmlReader
from app.upstream.values import text as as_text

_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an operation sends.

    Args:
        form: fields of a body; None sends a GET, unless there are files.
        upload: instead of those, one file of any size, which is read as it is sent.
        time: the field of the form that takes the time at which the call leaves.
    """

    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: tuple[File, ...] = ()
    upload: StoredFile | None = None
    time: str | None = None


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
    owner: str = field(default="", repr=False)
    """Whose login it carries: no connection is used for two."""


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
        return WireRequest("POST", url, headers, upload=upload, owner=plain.owner)
    if parameters.files:
        headers["Content-Type"], body = write_multipart(parameters.form or {}, parameters.files)
        return WireRequest("POST", url, headers, body, owner=plain.owner)
    if parameters.form is None:
        return WireRequest("GET", url, headers, owner=plain.owner)
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    body = _urlencoded(parameters.form).encode("ascii")
    return WireRequest("POST", url, headers, body, owner=plain.owner)


class _Plain(NamedTuple):
    url: str
    headers: Mapping[str, str]
    owner: str


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
    owner = hashlib.sha256(f"{account.auth}:{account.username}:{password}".encode()).hexdigest()
    return _Plain(f"{url}?{_urlencoded(query)}" if query else url, MappingProxyType(headers), owner)


def _urlencoded(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote, safe="")


def secrets_of(parameters: Parameters, names: Iterable[str], account: UpstreamAccount) -> list[str]:
    """Return what no text may quote of a request: the values of its secret parameters, and the account's login."""
    password = account.password.get_secret_value()
    digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    given = {**parameters.query, **(parameters.form or {})}
    return [*(given[name] for name in names if name in given), password, digest, f"{account.username}:{password}"]


def open_document(reply: WireReply, document: Document, *, plain_text: bool = False) -> Document:
    """Read a reply's bytes into a document.

    Where plain text is promised, it becomes the content of a document without a root; such calls answer their errors,
    and sometimes their data, in XML all the same.

    Raises:
        UnexpectedForm: a web page, an empty body, or not well-formed XML.
    """
    text, as_declared = decode_text(reply.body, reply.headers.get("content-type", ""))
    if plain_text and not text.lstrip(SURPLUS).startswith("<"):
        document.content = text
    else:
        _read(document, text)
    if not as_declared:
        document.note(DriftKind.REPAIRED_ENCODING, document.root)
    if "\ufffd" in text:
        document.is_whole = False
        document.note(DriftKind.UNDECODABLE_BYTES, document.root)
    return document


def _read(document: Document, text: str) -> None:
    reader = XmlReader(max_length=len(text) + 1)
    reader.feed(text)
    reader.end()
    content: dict[str, Any] = {}
    while (found := reader.next()) is not None:
        merged(content, found)
    document.root, document.is_whole = reader.root, reader.is_whole
    document.content = content.get("#text") if content.keys() <= {"#text"} else content
    for kind in sorted(reader.repairs):
        document.note(kind, reader.root)


def merged(content: dict[str, Any], found: Run | Tree) -> None:
    """Add what was found below a root to its content."""
    if isinstance(found, Run):
        content[found.form.tag] = Items([*_several(content, found.form.tag), found])
    elif isinstance(found.content, dict):
        for name, node in found.content.items():
            if name == "#text":
                _add_text(content, node)
            else:
                content[name] = Items([*_several(content, name), *many(node)]) if name in content else node
    elif found.content is not None:
        _add_text(content, found.content)


def _several(content: dict[str, Any], name: str) -> list[Any]:
    several = content.get(name)
    return several if isinstance(several, Items) else many(several)


def _add_text(content: dict[str, Any], text: str) -> None:
    content["#text"] = f"{content['#text']}\n{text}" if "#text" in content else text


def check_root(document: Document, promised: str) -> None:
    """Check that a document is the one that was promised; its name may be in another case.

    Raises:
        UnexpectedForm: it is another.
    """
    if document.root != promised:
        if document.root.lower() != promised:
            raise UnexpectedForm(f"a document <{document.redact(document.root)[:64]}> where <{promised}> was promised")
        document.note(DriftKind.REPAIRED_NAME, promised)
        document.root, document.is_whole = promised, False


def unwrap(document: Document, operation: str, root: str | None) -> None:
    """Check that a document is what the operation promises: `result`, another root, or None for plain text.

    Raises:
        GatewayError: the reply is a `<result>` with an error status (see `app.upstream.faults`).
        UnexpectedForm: the reply is another document.
    """
    if document.root.lower() == "result":
        check_root(document, "result")
        document.status = _status(document, operation)
    if root is not None:
        check_root(document, root)
    if document.root not in {"", "result"} and isinstance(document.content, dict):
        document.refuse_errors()


def _status(document: Document, operation: str) -> str:
    children = document.children(document.content, document.root, ("status", "data"))
    status = None if isinstance(children.get("status"), list) else document.leaf("status", as_text)
    if status is None:
        raise UnexpectedForm("a result without a status")
    word = status_word(status)
    if word in SUCCESS:
        if word != status:
            document.note(DriftKind.REPAIRED_STATUS, "result/status")
        return word
    # Masked before it is cut: half a secret would not be found.
    message = document.redact(document.leaf("data", as_text) or "")[:_MESSAGE_LENGTH]
    if is_refusal(word, message):
        known = word if word in FAULTS else document.redact(status)[:_MESSAGE_LENGTH]
        raise fault(UpstreamAnswer(operation, known, message or None))
    document.note(DriftKind.UNKNOWN_STATUS, "result/status")
    raise UnknownStatus(document.redact(status)[:64])


def on_behalf_of(customer_id: int | None) -> dict[str, str]:
    """Return the query parameters that make a manager's call one for a customer; none for one's own account."""
    return {} if customer_id is None else {"customer_id": str(customer_id), "user_type": "manager"}
