"""Reading the frame and the letters of documents: what is repaired, that no value changes, and what stays refused."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.upstream import markup
from app.upstream.document import Document, UnexpectedForm
from app.upstream.markup import MAX_DEPTH
from app.upstream.reader import XmlReader
from tests.support.documents import as_trees, in_runs
from tests.upstream.test_lists import THING

ITEM = "<thing><id>{}</id><name>{}</name><state>1</state><at>2026-03-01 11:59:30</at><score>1</score></thing>"
READERS = pytest.mark.parametrize("read", [in_runs, as_trees])
Read = Callable[[str], Document]


def kinds(document: Document) -> set[str]:
    return {each.kind.value for each in document.drift}


@READERS
class TestFrame:
    @pytest.mark.parametrize(
        "before",
        [
            "\ufeff\ufeff\ufeff",
            "\n\ufeff\r\n\ufeff<?xml version='1.0'?>",
            "<?XML version='1.0'?>",
            "<?xml version='1.0'?>\n<?xml version='1.0' encoding='gbk'?>",
            "<br />\n<b>Notice</b>:  Undefined index: x in <b>/x.php</b> on line <b>9</b><br />\n<?xml version='1.0'?>",
            "PHP Warning:  foreach() in /x.php on line 9\n",
            "<!-- a -- b -->",
            "\0\0",
        ],
    )
    def test_what_stands_before_the_document(self, read: Read, before: str) -> None:
        document = read(f"{before}<l>x</l>")
        assert (document.root, document.content, kinds(document)) == ("l", "x", {"repaired_frame"})
        assert document.is_whole

    @pytest.mark.parametrize(
        "behind",
        [";", "?>", "\n<!-- a -- b -->", "<br />\n<b>Warning</b>: x<br />", "ok", "\ufeff", "\0\0\0", "<", "</b>"],
    )
    def test_what_stands_behind_the_root(self, read: Read, behind: str) -> None:
        document = read(f"<l>x</l>\n{behind}")
        assert (document.content, document.is_whole) == ("x", True)
        assert kinds(document) == ({"repaired_frame"} if behind.strip("\0\ufeff") else set())

    @pytest.mark.parametrize(
        "frame", ["{}", "\ufeff{}", "\n<?xml version='1.0' encoding='x'?>\n{}\n", "<!-- x -->{}<!-- y -->"]
    )
    def test_what_is_usual_is_no_repair(self, read: Read, frame: str) -> None:
        assert kinds(read(frame.format("<l>x</l>"))) == set()

    @pytest.mark.parametrize(
        "text",
        [
            *("", "  ", "plain text", "<l>", "<l><b>1</b>", "<l/><l/>", "<l>x</m>", "<l></L>", "<html><l/></html>"),
            *("<!DOCTYPE l [<!ENTITY x 'y'>]><l>&x;</l>", "<l><a></b></l>", "<l><!-- x</l>", "<l><![CDATA[x</l>"),
            *("<l/>" + "x" * 20_000, "x" * 20_000 + "<l/>", "<br>" * 9000 + "<l/>"),
        ],
    )
    def test_what_stays_refused(self, read: Read, text: str) -> None:
        with pytest.raises(UnexpectedForm):
            read(text)


@READERS
class TestCharacters:
    @pytest.mark.parametrize(
        ("written", "meant", "kind"),
        [
            ("&#55357;&#56832;", "😀", "repaired_character"),
            ("&#xD83D;&#xDE00;", "😀", "repaired_character"),
            ("a&#55357;b", "ab", "repaired_character"),
            ("a&#0;&#x1F;&#xFFFE;&#1114112;b", "ab", "repaired_character"),
            ("a\x01b\x0b\ufffe", "ab", "repaired_character"),
            ("caf&eacute;&nbsp;&copy;", "café\u00a0©", "repaired_character"),
            ("&lt;&LT;&amp;AMP;", "<<&AMP;", "repaired_character"),
            ("&unheard;", "&unheard;", "repaired_markup"),
            ("a & b &&amp; c", "a & b && c", "repaired_markup"),
            ("a < b <3 <", "a < b <3 <", "repaired_markup"),
            ("张三<a@b.com>", "张三<a@b.com>", "repaired_markup"),
            ("a<b@c.com", "a<b@c.com", "repaired_markup"),
            ("a]]>b", "a]]>b", "repaired_markup"),
            ("<![cdata[a & <b>]]>", "a & <b>", "repaired_markup"),
            ("a<!-- x -- y -->b", "ab", "repaired_markup"),
            ("<![CDATA[a\x00&#8;b]]>", "a&#8;b", "repaired_character"),
        ],
    )
    def test_repairs(self, read: Read, written: str, meant: str, kind: str) -> None:
        document = read(
            f"<l>{''.join(ITEM.format(number, escape('x')) for number in (1, 2, 3))}{ITEM.format(4, written)}</l>"
        )
        found = document.records("thing", THING)
        assert [each.name for each in found] == ["x", "x", "x", meant]
        assert kinds(document) - {"missing_element"} == {kind}
        assert not found.is_whole

    @pytest.mark.parametrize(
        "written", ["&amp;&lt;&#20013;&#x4e2d;", "<![CDATA[<a>&x;]] ]]>", "a<!-- x -->b", "[a] ]]"]
    )
    def test_what_is_well_formed_is_no_repair(self, read: Read, written: str) -> None:
        document = read(f"<l>{ITEM.format(1, written) * 4}</l>")
        assert document.records("thing", THING).is_whole
        assert kinds(document) <= {"missing_element"}


class Kind:
    """A repair: how a text may be written, and what stands somewhere outside of values."""

    written = st.sampled_from(
        [
            escape,
            lambda text: f"<![CDATA[{text}]]>",
            lambda text: f"<![cdata[{text}]]>",
            lambda text: "".join(f"&#{ord(each)};" for each in text),
            lambda text: escape(text).replace("é", "&eacute;").replace("©", "&copy;"),
            lambda text: escape(text) if ";" in text else escape(text).replace("&amp;", "&"),
            lambda text: "".join(_surrogates(each) for each in text),
            lambda text: "\x01".join(escape(each) for each in text) if text else "",
            lambda text: f"{escape(text)}<!-- a -- b -->",
        ]
    )
    between = st.sampled_from(["", "\n", ";", "<!-- a -- b -->", "\ufeff", "<?x y?>", "\x00"])
    frame = st.sampled_from(["", "\ufeff\ufeff", "<br />\n<b>Notice</b>: x<br />", "PHP Notice: x\n", ";", "?>"])


def _surrogates(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"&#x{code:X};"
    return f"&#{0xD800 + ((code - 0x10000) >> 10)};&#{0xDC00 + (code & 0x3FF)};"


values = st.text(st.sampled_from("ab é©<>&张😀.@,"), max_size=8).map(str.strip)


@given(st.lists(values, min_size=1, max_size=9), st.data())
def test_repairs_at_random_places_never_change_a_value(names: list[str], data: st.DataObject) -> None:
    def draw(strategy: st.SearchStrategy[Any]) -> Any:
        return data.draw(strategy)

    items = [ITEM.format(number, draw(Kind.written)(name)) for number, name in enumerate(names, 1)]
    inner = "".join(f"{item}{draw(Kind.between)}" for item in items)
    text = f"{draw(Kind.frame)}<l>{inner}</l>{draw(Kind.frame)}"
    for read in (in_runs, as_trees):
        document = read(text)
        assert [each.name for each in document.records("thing", THING)] == [name or None for name in names]


class TestBounds:
    @pytest.mark.parametrize(
        "text",
        [
            "<l>" + "<x>" * MAX_DEPTH + "</x>" * MAX_DEPTH + "</l>",
            "<l>" + "".join(f"<x{number}/>" for number in range(600)) + "</l>",
            "<l>" + "<x/>" * 260_000 + "</l>",
            "<l " + "a='1' " * 500 + "></l>",
            f"<{'x' * 70}/>",
            "<l>" + "<thing><id>1</id></thing>" * 300_000 + "</l>",
            "<l><!--" + "-" * 70_000,
            "<!--" + "x" * 70_000 + "--><l></l>",
            "<l><x>" + "&" * 350_000 + "</x></l>",
            "<l>" + f"<x>{'&nbsp;' * 5000}</x>" * 70 + "</l>",
        ],
        ids=[
            "depth",
            "names",
            "elements",
            "attributes",
            "name",
            "items",
            "endless comment",
            "comment",
            "signs",
            "references",
        ],
    )
    def test_what_is_too_much_is_refused(self, text: str) -> None:
        with pytest.raises(UnexpectedForm):
            in_runs(text)

    def test_the_usual_is_not(self) -> None:
        assert in_runs("<l>" + "<x>" * (MAX_DEPTH - 1) + "</x>" * (MAX_DEPTH - 1) + "</l>").root == "l"


SIGNS = [
    "<",
    "&",
    "]]>",
    "]",
    "<a>",
    "</a>",
    "<![CDATA[",
    "<![cdata[",
    "<!--",
    "-->",
    "<?",
    "?>",
    "&amp;",
    "&#1;",
    "x",
    "-",
]


@given(st.lists(st.sampled_from(SIGNS), max_size=12).map("".join))
def test_what_is_looked_at_is_what_the_pattern_finds(text: str) -> None:
    assert [each.span() for each in markup._signs(text)] == [each.span() for each in markup._REPAIRABLE.finditer(text)]


HOSTILE = {
    "comment": "<l><!--" + "x" * 20_000,
    "start tag": "<l><x " + "y" * 20_000,
    "quotes": "<l><x y='" + ">" * 20_000,
    "ampersands": "<l><x>" + "&" * 20_000 + "</x></l>",
    "sections": "<l>" + "<![CDATA[" * 2000,
    "comments": "<l>" + "<!-- x -->" * 2000 + "</l>",
    "leaves": "<l>" + "<r>" + "".join(f"<x{number % 300}>1</x{number % 300}>" for number in range(1500)) + "</r></l>",
    "items": "<l>" + "<r><x>1</x><y>2</y></r>" * 900 + "</l>",
    "brackets": "<l><x>" + "<" * 20_000 + "</x></l>",
    "namespaces": "<l>" + "<r xmlns='a'><x>1</x></r>" * 800 + "</l>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_however_a_text_is_cut_the_work_is_linear(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(size: int, length: int) -> int:
        reader, seen = XmlReader(max_length=1_000_000, tag="r"), 0
        take, count = XmlReader._take, [0]

        def taking(self: XmlReader) -> None:
            take(self)
            # What is looked at anew is what is held.
            count[0] += len(self._text) - self._at

        monkeypatch.setattr(XmlReader, "_take", taking)
        try:
            for start in range(0, length, size):
                reader.feed(text[start : min(start + size, length)])
                while reader.next() is not None:
                    seen += 1
        except UnexpectedForm:
            pass
        monkeypatch.setattr(XmlReader, "_take", take)
        return count[0]

    assert steps(1, len(text)) <= 4200 * len(text)
    assert steps(64, len(text)) <= 96 * len(text)
