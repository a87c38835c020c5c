"""Field types: what the document says of them is what they check."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.api.contact_rows import Cell
from app.api.files import Base64, FileName, UploadName
from app.api.types import (
    DocumentText,
    HeaderText,
    Id,
    Line,
    LongText,
    Name,
    Password,
    ShortText,
)
from app.resources.console.schemas import WebAddress
from app.resources.templates.schemas import Html, Subjects
from app.tenants.models import UpstreamAccount

TEXTS = (
    *("", " ", "\u3000", ".", "..", ". .", "a", " a ", "a.b", "北京", "😀", "a/b", "a\\b", 'a"b', "a|b", "a;b", "a，b"),
    *(f"a{chr(code)}b" for code in (*range(0x20), *range(0x7F, 0xA1), 0x2028, 0x2029, 0xFFFE, 0xFFFF)),
)
ADDRESSES = (
    "http://a.example/",
    "https://a.example:8443/b?c=%20#d",
    "http://[::1]/",
    "http://u:p@a.example/",
    "ftp://a.example/",
    "http://a.example/长",
    "http:///",
    "0",
    "",
)


def accepts(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def documents(schema: dict[str, Any], value: str) -> bool:
    # To Python alone, `$` may stand before a last line break.
    pattern = re.sub(r"\$$", r"\\Z", schema.get("pattern", ""))
    return bool(re.search(pattern, value)) and len(value) >= schema.get("minLength", 0)


@pytest.mark.parametrize(
    "kind", [Line, Name, HeaderText, ShortText, LongText, DocumentText, FileName, UploadName, Password, Cell, Html]
)
def test_a_text_is_described_as_it_is_checked(kind: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema()
    assert [text for text in TEXTS if accepts(adapter, text)] == [text for text in TEXTS if documents(schema, text)]


def test_a_subject_is_described_as_it_is_checked() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Subjects)
    schema = adapter.json_schema()["items"]
    assert [text for text in TEXTS if accepts(adapter, [text])] == [text for text in TEXTS if documents(schema, text)]


def test_an_address_is_described_as_it_is_checked() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(WebAddress)
    schema = adapter.json_schema()
    accepted = [address for address in ADDRESSES if accepts(adapter, address)]
    assert accepted == [address for address in ADDRESSES if documents(schema, address)] == list(ADDRESSES[:2])


def test_a_platforms_address_is_described_as_it_is_checked() -> None:
    schema = UpstreamAccount.model_json_schema()["properties"]["base_url"]
    login = {"username": "acme", "password": "secret"}
    adapter: TypeAdapter[Any] = TypeAdapter(UpstreamAccount)
    for address in ADDRESSES:
        if accepts(adapter, {**login, "base_url": address}):
            assert documents(schema, address), address


def test_base64_is_described_as_it_is_checked() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Base64)
    schema = adapter.json_schema()
    encoded = ("", "QQ==", "QUI=", "QUJD", "QUJDQQ==")
    others = (
        "QQ",
        "QUI",
        "QUJD=",
        "QUJD==",
        "QQ===",
        "QQ==QQ==",
        "Q===",
        "Q",
        "=",
        "QQ= =",
        "QUI-",
        "QUI_",
        "QQ==\n",
        "北京北京",
    )
    assert [text for text in encoded + others if accepts(adapter, text)] == list(encoded)
    assert [text for text in encoded + others if documents(schema, text)] == list(encoded)


def test_an_id_has_limits_that_the_document_knows() -> None:
    schema = TypeAdapter(Id).json_schema()
    assert (schema["minimum"], schema["maximum"]) == (1, 2**53 - 1)
    assert not accepts(TypeAdapter(Id), "0")
    assert not accepts(TypeAdapter(Id), "01")
