"""One reply of each kind that PHP services send, read in each way: in runs, as trees, and by a library where it can."""

import json
from pathlib import Path
from xml.parsers.expat import ExpatError
from zoneinfo import ZoneInfo

import pytest

from app.upstream.document import Document, UnexpectedForm
from app.upstream.encodings import decode_text
from app.upstream.envelope import WireReply, open_document
from tests.support.documents import as_trees, by_reference
from tests.upstream.test_lists import THING

REPLIES = Path(__file__).with_name("replies")
KINDS = json.loads((REPLIES / "index.json").read_text())


def _read(document: Document) -> tuple[list[str | None], set[str]]:
    names = [each.name for each in document.records("thing", THING)]
    return names, {each.kind.value for each in document.drift} - {"missing_element"}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    body, expected = (REPLIES / f"{kind}.xml").read_bytes(), KINDS[kind]
    zone = ZoneInfo("Asia/Shanghai")
    if expected is None:
        with pytest.raises(UnexpectedForm):
            _read(open_document(WireReply(200, {}, body), Document("", None, zone)))
        with pytest.raises(UnexpectedForm):
            _read(as_trees(decode_text(body)[0]))
        return
    names, drift = expected["names"], set(expected["drift"])
    assert _read(open_document(WireReply(200, {}, body), Document("", None, zone))) == (names, drift)
    assert _read(as_trees(decode_text(body)[0])) == (names, drift - {"repaired_encoding"})
    try:
        reference = by_reference(decode_text(body)[0])
    except ExpatError:
        return
    if "repaired_name" not in drift:
        assert [each.name for each in reference.records("thing", THING)] == names


def test_every_reply_has_its_expectation() -> None:
    assert {path.stem for path in REPLIES.glob("*.xml")} == set(KINDS)
