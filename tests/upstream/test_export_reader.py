"""Reading XML record by record gives what the reference parser gives for the whole, wherever the bytes are cut."""

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
import xmltodict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.resources.lists.operations import EXPORT_CONTACTS, EXPORT_UNSUBSCRIBES
from app.resources.statistics.failures import FAILED_ADDRESSES, FIND_FAILURES
from app.resources.tracking.operations import CLICKS, OPENS, RECIPIENTS
from app.upstream.document import Drift, DriftKind, UnexpectedForm
from app.upstream.encodings import decode_text
from app.upstream.forms import Run, Tree
from app.upstream.reader import XmlReader
from app.upstream.sources import XmlRecords
from tests.support.documents import as_trees
from tests.support.exports import read_export

GOLDEN = Path(__file__).parents[1] / "golden"
XML_EXPORTS = {
    "failures/find": FIND_FAILURES,
    "failures/addresses": FAILED_ADDRESSES,
    "tracking/opens": OPENS,
    "tracking/clicks": CLICKS,
}
EXPORTS = [FIND_FAILURES, FAILED_ADDRESSES, OPENS, CLICKS, EXPORT_CONTACTS, EXPORT_UNSUBSCRIBES, RECIPIENTS]
RECORD_REPLIES = [
    (operation, reply)
    for folder, operation in XML_EXPORTS.items()
    for reply in sorted((GOLDEN / folder).glob("*.reply.xml"))
    if b"<result>" not in reply.read_bytes()
]


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(body) + 1) for cut in cuts})
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


def reference(source: XmlRecords, body: bytes) -> tuple[list[dict[str, Any]], set[Drift]]:
    """Read the whole reply as trees and each record by its model."""
    document = as_trees(decode_text(body)[0])
    assert document.root == source.root
    rows = [model.model_dump(mode="json") for model in document.records(source.tag, source.record)]
    return rows, document.drift


def outcome(read: Any, *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except UnexpectedForm:
        # Which of several faults comes first may depend on where the bytes are cut.
        return "refused"


@pytest.mark.parametrize(("operation", "reply"), RECORD_REPLIES, ids=lambda value: getattr(value, "stem", ""))
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_golden_replies_read_as_a_whole_document_does(operation: Any, reply: Path, size: int) -> None:
    body = reply.read_bytes()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    assert outcome(read_export, operation.source, parts) == outcome(reference, operation.source, body)


texts = st.one_of(
    st.sampled_from(
        ["", " ", "0", "1", "7", "x", "0000-00-00 00:00:00", "2026-03-02 09:31:05", "亚洲|中国|北京", "a]b", "]]"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd\ufffe\uffff"), max_size=12),
    st.sampled_from(["a&b", "&amp;lt;", "x\r\ny", "\t", "\u00a0x\u00a0", "🎈", "![CDATA[x]]"]),
)
raw_texts = st.sampled_from(
    ["&amp;", "&#20013;", "&#0;", "a & b", "&nbsp;", "&#x1F;", "x\x00y", "&lt;b&gt;", "\r", "&#13;"]
)
leaf_names = st.sampled_from(["email", "type", "error_type", "task_id", "extra", "descrīption"])


@st.composite
def leaves(draw: st.DrawFn, name: str) -> str:
    kind = draw(st.integers(0, 9))
    text = draw(texts)
    if kind <= 4:
        return f"<{name}>{escape(text)}</{name}>"
    if kind <= 6:
        space = draw(st.sampled_from(["", " ", "\r\n"]))
        return f"<{name}>{space}<![CDATA[{text.replace(']]>', '')}]]>{space}</{name}>"
    special = [f"<{name}/>", f'<{name} a="1>2">{draw(raw_texts)}</{name}>', f"<{name}>{draw(raw_texts)}</{name}>"]
    return special[kind - 7]


@st.composite
def records(draw: st.DrawFn) -> str:
    names = draw(st.lists(leaf_names, max_size=4, unique=draw(st.integers(0, 9)) > 0))
    space = draw(st.sampled_from(["", "\n  ", "\r\n", "<!-- a > b -->", "<?pi x?>"]))
    nested = "<deep><a>1</a><a/></deep>" if draw(st.integers(0, 9)) == 0 else ""
    body = space.join(["", *(draw(leaves(name)) for name in names), nested, ""])
    return draw(
        st.sampled_from([f"<recipient>{body}</recipient>"] * 8 + ["<recipient/>", "<recipient> text </recipient>"])
    )


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    some = draw(st.lists(records(), max_size=4))
    repeated = some * draw(st.integers(1, 3))
    between = draw(st.sampled_from(["", "\n", "\r\n  ", ";", "<!-- x -->", "<other>1</other>"]))
    head = draw(st.sampled_from(["", "<?xml version='1.0' encoding='UTF-8'?>\n", "\ufeff\r\n", "<!-- x -->"]))
    attributes = draw(st.sampled_from(["", ' total="3>2"']))
    inner = between.join(repeated)
    tail = draw(st.sampled_from(["", "\n", "<!-- end -->"]))
    return f"{head}<fail_recipient_list{attributes}>{inner}</fail_recipient_list>{tail}".encode()


cuts = st.lists(st.integers(0, 10_000), max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents(), cuts)
def test_generated_documents_read_as_a_whole_document_does(body: bytes, places: list[int]) -> None:
    assert isinstance(FIND_FAILURES.source, XmlRecords)
    assert outcome(read_export, FIND_FAILURES.source, split(body, places)) == outcome(
        reference, FIND_FAILURES.source, body
    )


def test_of_two_spellings_the_one_that_says_something_counts_in_every_record() -> None:
    record = "<recipient><email>a@example.com</email><type>{}</type><error_type>{}</error_type></recipient>"
    inner = "".join(record.format(*types) for types in (("1", ""), ("", "2"), ("3", "5"), ("", "")))
    body = f"<fail_recipient_list>{inner}</fail_recipient_list>".encode()
    rows, _ = read_export(FIND_FAILURES.source, [body])
    assert [row["reason_code"] for row in rows] == [1, 2, 3, None]
    assert outcome(read_export, FIND_FAILURES.source, [body]) == outcome(reference, FIND_FAILURES.source, body)


@given(st.lists(records(), max_size=6), st.integers(1, 40))
def test_children_are_the_dictionaries_of_xmltodict(found: list[str], size: int) -> None:
    text = re.sub("&#(0|x1F);|\x00|&(?!amp;|lt;|gt;|#)", "", "".join(found)).replace("<recipient/>", "")
    expected = xmltodict.parse(f"<r>{text}</r>", force_list=("recipient",), xml_attribs=False)["r"]
    reader = XmlReader(max_length=10_000, tag="recipient")
    nodes: list[Any] = []
    whole = f"<r>{text}</r>"
    for start in range(0, len(whole), size):
        reader.feed(whole[start : start + size])
        nodes += taken(reader)
    reader.end()
    assert nodes + taken(reader) == ((expected or {}).get("recipient", []))


def taken(reader: XmlReader) -> list[Any]:
    nodes: list[Any] = []
    while (found := reader.next()) is not None:
        if isinstance(found, Run):
            nodes += found.nodes()
        elif isinstance(found.content, dict):
            several = found.content.get("recipient", [])
            nodes += several if isinstance(several, list) else [several]
    return nodes


def simple(count: int) -> bytes:
    record = "<recipient>\n<email>用户{}@example.com</email>\n<type>{}</type>\n<task_id>7</task_id>\n</recipient>\n"
    inner = "".join(record.format(number, number % 9) for number in range(count))
    return f"<fail_recipient_list>{inner}</fail_recipient_list>".encode()


class TestLongDocuments:
    def test_records_of_one_shape_come_in_runs(self) -> None:
        reader = XmlReader(max_length=1000, tag="i")
        reader.feed("<l><total>5</total>" + "<i><a>0</a></i>" * 100 + "</l>")
        assert isinstance(reader.next(), Tree)
        run = reader.next()
        assert isinstance(run, Run)
        assert len(run.rows) == 100

    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
    @pytest.mark.parametrize("size", [1, 63, 65_536])
    def test_any_encoding(self, encoding: str, size: int) -> None:
        rows, drift = read_export(FIND_FAILURES.source, [simple(200)])
        declared = f"<?xml version='1.0' encoding='{encoding}'?>" if encoding != "utf-16" else ""
        body = (declared + simple(200).decode()).encode(encoding)
        again = read_export(FIND_FAILURES.source, [body[start : start + size] for start in range(0, len(body), size)])
        assert again == (rows, drift)
        assert len(rows) == 200

    def test_a_character_that_is_cut_refuses_the_export(self) -> None:
        with pytest.raises(UnexpectedForm, match="text in no encoding"):
            read_export(FIND_FAILURES.source, [simple(30).replace("户1".encode(), "户".encode()[:-1])])

    def test_a_character_that_was_lost_before_is_drift(self) -> None:
        rows, drift = read_export(FIND_FAILURES.source, [simple(3).replace("户1".encode(), "\ufffd".encode())])
        assert rows[1]["email"] == "用\ufffd@example.com"
        assert Drift(DriftKind.UNDECODABLE_BYTES, "fail_recipient_list") in drift

    def test_optional_elements_are_not_missed(self) -> None:
        reply = (GOLDEN / "tracking/opens/one.reply.xml").read_bytes().replace(b"<device>pc</device>", b"")
        user = reply[reply.index(b"<user>") : reply.index(b"</data>")]
        body = reply.replace(user, user * 5)
        assert isinstance(OPENS.source, XmlRecords)
        assert read_export(OPENS.source, body) == reference(OPENS.source, body)

    def test_nothing_is_kept_of_what_was_read(self) -> None:
        reader = XmlReader(max_length=1000, tag="i")
        reader.feed("<l>")
        for _ in range(1000):
            reader.feed("<i><a>0</a></i>" * 50)
            taken(reader)
        assert reader.held < 2000


class TestBounds:
    @pytest.mark.parametrize(
        "body",
        [
            b"<fail_recipient_list><recipient><email>" + b"x" * 70_000,
            b"<fail_recipient_list>" + b"<recipient><a>" * 10_000,
            b"<fail_recipient_list><!--" + b"x" * 70_000,
            b"<fail_recipient_list><![CDATA[" + b"x" * 70_000,
            b"<fail_recipient_list " + b"x" * 70_000,
            b"<!--" + b"x" * 70_000,
            b" " * 70_000,
            b"<result><status>" + b"x" * 70_000,
            b"no xml " * 10_000,
        ],
    )
    def test_what_is_too_long_is_refused_at_once(self, body: bytes) -> None:
        parts = (body[start : start + 4096] for start in range(0, len(body), 4096))
        with pytest.raises(UnexpectedForm, match=r"more than|instead of XML|nothing but"):
            read_export(FIND_FAILURES.source, [*parts])

    def test_a_line_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(UnexpectedForm, match="in one line"):
            read_export(EXPORT_CONTACTS.source, [b"a" * 60_000] * 2)

    @pytest.mark.parametrize(
        "body",
        [
            '<!DOCTYPE l SYSTEM "x"><fail_recipient_list/>',
            '<?xml version="1.0"?>\n<!DOCTYPE l [<!ENTITY a "b">]><fail_recipient_list>&a;</fail_recipient_list>',
            "<fail_recipient_list>" + "<recipient>" * 20 + "</recipient>" * 20 + "</fail_recipient_list>",
            "<fail_recipient_list><recipient><email>a@example.com</email></recipient>",
            "<fail_recipient_list></other>",
            "<fail_recipient_list/><trailing/>",
            "<fail_recipient_list></fail_recipient_list><fail_recipient_list/>",
            "<fail_recipient_list>text</fail_recipient_list>",
            "",
            " \r\n",
            "text",
            "<html><body>系统维护中</body></html>",
            "<?xml version='1.0'?>",
        ],
    )
    @pytest.mark.parametrize("size", [1, 100_000])
    def test_what_is_not_well_formed_is_refused(self, body: str, size: int) -> None:
        encoded = body.encode()
        with pytest.raises(UnexpectedForm):
            read_export(FIND_FAILURES.source, [encoded[start : start + size] for start in range(0, len(encoded), size)])


@pytest.mark.parametrize("operation", EXPORTS, ids=lambda operation: operation.name)
@given(body=st.binary(max_size=300), places=cuts)
def test_any_bytes_are_read_or_refused(operation: Any, body: bytes, places: list[int]) -> None:
    for reply in (body, b"<data><user>" + body, b"<fail_recipient_list><recipient>" + body):
        found = outcome(read_export, operation.source, split(reply, places))
        assert found == outcome(read_export, operation.source, [reply])
