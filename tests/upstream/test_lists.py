"""Reading a list by a pattern of its items gives what reading it as a tree gives: models, drift and refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from app.doctor.shapes import WatchedDocument
from app.gateway.pages import Collection
from app.resources.campaigns.records import CAMPAIGN, SEND
from app.resources.templates.records import TEMPLATE_RECORD
from app.upstream.document import Document, Drift, DriftKind, Items, UnexpectedForm, many
from app.upstream.encodings import decode_text
from app.upstream.forms import Run
from app.upstream.listed import to_json
from app.upstream.records import Combined, Element, Record
from app.upstream.values import code, identifier, integer, local_time, number, word
from tests.support.documents import as_trees, by_reference, in_runs

GOLDEN = Path(__file__).parents[1] / "golden"

Outcome = tuple[list[BaseModel], bytes, set[Drift], bool] | str


class Kid(BaseModel):
    id: int | None
    name: str | None


class Thing(BaseModel):
    id: int
    name: str | None
    state: str | None
    state_code: int | None
    at: Any
    note: str | None
    both: str | None
    kids: list[Kid]
    tags: list[str]
    score: float | None


def _both(state: str | None, note: str | None) -> str | None:
    return f"{state}/{note}" if state and note else None


def _names(tags: list[dict[str, Any]]) -> list[str]:
    return [tag["name"] for tag in tags if tag["name"]]


THING = Record(
    Thing,
    {
        "id": Element("id", convert=integer, required=True),
        "name": Element("name", "nmae"),
        "state": Element("state", convert=code({1: "on", 2: "off"})),
        "state_code": Element("state", convert=integer),
        "at": Element("at", convert=local_time),
        "note": Element("note", optional=True),
        "score": Element("score", convert=number),
    },
    ignored=frozenset({"secret"}),
    nested={
        "kids": (
            ("kids", "kid"),
            Record(Kid, {"id": Element("id", convert=identifier), "name": Element("name", convert=word({"a", "b"}))}),
        ),
        "tag_records": (("tag",), Record(Kid, {"id": Element("id", convert=integer), "name": Element("name")})),
    },
    combined={"both": Combined(_both, "state", "note"), "tags": Combined(_names, "tag_records")},
)


def outcome(read: Callable[[str], Document], text: str, tag: str, record: Record[Any]) -> Outcome:
    """Read a document's items; what is refused is told of by its error."""
    try:
        document = read(text)
        found = document.records(tag, record, beside=frozenset({"total"}) if tag == "thing" else frozenset())
        total = document.leaf("total", integer)
    except UnexpectedForm as error:
        return str(error)
    models = [*found, *([] if total is None else [Kid(id=total, name=None)])]
    return models, to_json(Collection[record.model](data=found)), document.drift, found.is_whole  # type: ignore[name-defined]


def check(text: str, tag: str, record: Record[Any]) -> Outcome:
    """Check that both ways end in the same, and return what."""
    expected = outcome(as_trees, text, tag, record)
    assert outcome(in_runs, text, tag, record) == expected
    return expected


def is_quick(text: str) -> bool:
    """Tell whether all items come in one run."""
    content = in_runs(text).content
    return [type(entry) for found in content.values() if isinstance(found, Items) for entry in found] == [Run]


ids = st.sampled_from(["1", "2", "3", "4", " 30 ", "007", "1.0", "+5"] * 12 + ["", "x", "9" * 19, "٣"])
texts = st.sampled_from(["", " ", "x", "a b", "中 \u00a0", "&", "<", "]", "]]>", "!", "\u3000", "\U0001f600", "\ufffe"])
values: dict[str, st.SearchStrategy[str]] = {
    "id": ids,
    "state": st.sampled_from(["1", "2", "9", "", "x", "-1"]),
    "at": st.sampled_from(
        ["2026-03-01 11:59:30", "2026-3-1", "0000-00-00", "1900-01-01 00:00:00", "2026-13-01 00:00:00", "", "x"]
    ),
    "score": st.sampled_from(["1", "1.50", "1e5", "", "999999999999999999.999999999", "-0.0"]),
}
raw = st.sampled_from(
    [
        "&#20013;", "&#0;", "&amp;", "&lt;b&gt;", "&nbsp;", "a & b", "\x00", "\r", "\r\n x", "<b>x</b>", "<!-- x -->",
        "<![CDATA[a]]>b", "<![CDATA[![CDATA[x]]]]>", "![CDATA[x]]", "<![CDATA[a]b]]]>", "]]>", "</task>", "<?x y?>",
        "<![CDATA[</thing></l>]]>", "<![CDATA[", "<!DOCTYPE a>", "<x:y/>", '<a xmlns="b"/>',
    ]
)  # fmt: skip


@st.composite
def leaves(draw: st.DrawFn, name: str) -> str:
    text = draw(values.get(name, texts))
    kind = draw(st.integers(0, 40))
    if kind == 39:
        return draw(st.sampled_from([f"<{name}/>", f"<{name} />", f'<{name} a="1">x</{name}>', f"<{name} ></{name} >"]))
    if kind == 40:
        return f"<{name}>{draw(raw)}</{name}>"
    if kind > 28:
        space = draw(st.sampled_from(["", "\n ", "\t"]))
        return f"<{name}>{space}<![CDATA[{text.replace(']]>', '')}]]>{space}</{name}>"
    return f"<{name}>{escape(text)}</{name}>"


@st.composite
def kids(draw: st.DrawFn, name: str) -> str:
    some = draw(st.lists(st.sampled_from(["id", "name", "more"]), max_size=3))
    return f"<{name}>{''.join(draw(leaves(each)) for each in some)}</{name}>"


@st.composite
def parts(draw: st.DrawFn, name: str) -> str:
    if name == "kids":
        inner = "".join(draw(st.lists(kids("kid"), max_size=3)))
        return draw(st.sampled_from([f"<kids>\n{inner}\n</kids>"] * 6 + ["<kids/>", "<kids>x</kids>"]))
    return draw(kids("tag") if name == "tag" else leaves(name))


NAMES = ["name", "state", "at", "note", "kids", "tag", "tag", "score"]
ODD_NAMES = ["nmae", "secret", "extra", "id", "thing", "deep"]


@st.composite
def things(draw: st.DrawFn, names: list[str]) -> str:
    """Draw an item, most often of the elements given, in their order."""
    some = list(names)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        change = draw(st.integers(0, 2))
        if change == 0 and some:
            some.pop(draw(st.integers(0, len(some) - 1)))
        elif change == 1:
            some.insert(draw(st.integers(0, len(some))), draw(st.sampled_from(ODD_NAMES)))
        elif change == 2:
            some = draw(st.permutations(some))
    some = ["id", *some]
    space = draw(st.sampled_from(["", "\n  ", "\r\n"] * 4 + ["<!-- > -->", ";"]))
    return f"<thing>{space.join(['', *(draw(parts(name)) for name in some), ''])}</thing>"


@st.composite
def lists(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9, unique=draw(st.booleans())))
    some = draw(st.lists(things(names), min_size=1, max_size=5))
    repeated = some * draw(st.sampled_from([4, 3, 2, 1]))
    odd = draw(st.sampled_from([""] * 9 + ["<thing/>", "<thing> </thing>", "<other>1</other>", "x", "<thing a='1'/>"]))
    repeated.insert(draw(st.integers(0, len(repeated))), odd)
    between = draw(st.sampled_from(["", "\n", "\r\n  "] * 4 + ["<!-- x -->", "<?pi x?>"]))
    head = draw(st.sampled_from(["", "<?xml version='1.0' encoding='UTF-8'?>\n", " \n"] * 4 + ["<!-- x -->"]))
    start = draw(st.sampled_from(["<l>"] * 20 + ["<l >", "<l a='1'>", "<l xmlns='b'>"]))
    total = draw(
        st.sampled_from(["", "<total>5</total>"] * 4 + ["<total>5</total><total>6</total>", "<thing>text</thing>"])
    )
    tail = draw(st.sampled_from(["</l>", "</l>\n", "</l ><!-- end -->"] * 10 + ["", "</l>x", ";</l>", "</other>"]))
    before, after = draw(st.permutations(["", total]))
    return head + start + before + between.join(repeated) + after + tail


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lists())
def test_generated_lists_read_as_trees_do(text: str) -> None:
    check(text, "thing", THING)


@given(lists())
def test_well_formed_lists_are_the_trees_of_the_reference(text: str) -> None:
    try:
        reference = by_reference(text)
    except ExpatError:
        return
    if "xmlns" in text or "<!DOCTYPE" in text:
        return
    expected = reference.content
    if isinstance(expected, dict):
        expected = {name: plain(node) for name, node in expected.items()}
    for read in (in_runs, as_trees):
        found = read(text)
        content = found.content
        if isinstance(content, dict):
            content = {name: plain(node) for name, node in content.items()}
        assert (found.root, content) == (reference.root, expected)


def plain(node: Any) -> Any:
    """Return what the library makes of elements of one name; empty ones are none."""
    nodes = [each for each in many(node) if each is not None]
    return nodes if len(nodes) != 1 else nodes[0]


RECORDED: dict[str, tuple[str, Record[Any]]] = {
    "campaigns/find": ("task", CAMPAIGN),
    "sends/list": ("task", SEND),
    "templates/list": ("template", TEMPLATE_RECORD),
}
REPLIES = [(reply, *what) for folder, what in RECORDED.items() for reply in sorted((GOLDEN / folder).glob("*.xml"))]


@pytest.mark.parametrize(("reply", "tag", "record"), REPLIES, ids=lambda value: getattr(value, "stem", ""))
@pytest.mark.parametrize("times", [1, 5])
def test_recorded_replies_read_as_trees_do(reply: Path, tag: str, record: Record[Any], times: int) -> None:
    text, _ = decode_text(reply.read_bytes())
    start, end = text.find(f"<{tag}>"), text.rfind(f"</{tag}>") + len(f"</{tag}>")
    check(text[:start] + text[start:end] * times + text[end:], tag, record)


ITEM = (
    "<thing><id>{}</id><name>x</name><state>1</state><at>2026-03-01 11:59:30</at><note>n</note>{}"
    "<score>1</score></thing>"
)
KIDS = "<kids><kid><id>1</id><name>a</name></kid></kids>"
TAG = "<tag><id>1</id><name><![CDATA[a & <b>]]></name></tag>"


def listing(*nested: str, start: str = "<l>\n", end: str = "\n</l>") -> str:
    return start + "\n ".join(ITEM.format(number + 1, each) for number, each in enumerate(nested)) + end


class TestQuickly:
    """What platforms write all the time must not fall back on trees."""

    @pytest.mark.parametrize(
        "text",
        [
            listing(*[KIDS] * 4),
            listing(KIDS, KIDS.replace("</kid>", "</kid><kid><id>2</id><name>b</name></kid>"), "<kids></kids>", KIDS),
            listing(KIDS, "<kids/>", "<kids>\n</kids>", KIDS),
            listing(*[TAG] * 4),
            listing(TAG, TAG * 3, "", TAG),
            listing(*[KIDS + TAG] * 4, start="<?xml version='1.0'?>\r\n<l><total>4</total>\r\n"),
            listing(*["<secret>1</secret>"] * 4, end="<total>5</total><other>x</other></l>\n"),
            listing(*["<extra>1</extra>"] * 4),
            listing(*["<nmae>y</nmae>"] * 4),
            listing(*["<kids> </kids>"] * 4),
        ],
    )
    def test_one_run(self, text: str) -> None:
        assert is_quick(text)
        assert not isinstance(check(text, "thing", THING), str)

    @pytest.mark.parametrize(
        ("first", "others"),
        [
            ("<note>n</note>", ""),
            ("<note>n</note>", "<note/>"),
            ("<note>n</note>", "<note><![CDATA[n & m]]></note>"),
            ("<score>1</score>", "<secret>1</secret><score>1</score>"),
            ("<kids></kids>", KIDS),
            (TAG, "<tag><name>x</name></tag>" + TAG),
        ],
    )
    def test_what_differs_is_learnt_once(self, first: str, others: str) -> None:
        item = "<thing><id>1</id>{}</thing>"
        text = f"<l>{item.format(first)}{item.format(others) * 5}{item.format(first)}</l>"
        content = in_runs(text).content
        assert [len(run.rows) for run in content["thing"]] == [1, 6]
        check(text, "thing", THING)

    def test_an_odd_item_is_read_alone(self) -> None:
        text = listing(KIDS, KIDS, "<kids a='1'/>", KIDS, KIDS)
        content = in_runs(text).content
        assert any(type(each) is Run for each in content["thing"])
        assert not isinstance(check(text, "thing", THING), str)


@pytest.mark.parametrize(
    "odd",
    [
        "<extra><a>1</a><b>2</b></extra>",
        "<secret><a>1</a></secret>",
        "<nmae><a>1</a></nmae>",
        "<kids>text</kids>",
        "<kids><id>1</id></kids>",
        "<kids><goat><id>1</id></goat></kids>",
        "<tag><kid><id>1</id></kid></tag>",
        "<kids><kid><more>1</more></kid></kids>",
    ],
)
def test_what_the_record_does_not_foresee_is_read_as_trees_are(odd: str) -> None:
    for text in (listing(*[odd] * 4), listing("", odd, "", odd), listing(odd, "", KIDS, TAG)):
        check(text, "thing", THING)


class TestOdd:
    """What is no list in plain sight."""

    @pytest.mark.parametrize(
        "text",
        [
            listing(KIDS, KIDS),
            listing(*[KIDS] * 4, start="<l a='1'>"),
            listing(*[KIDS] * 4, start="<!-- x --><l>"),
            listing(*["<kids a='1'/>"] * 20),
            listing(*[KIDS] * 4, start="<l><thing>x</thing>"),
            listing(KIDS, f"{KIDS}</thing>;<thing><id>1</id>", KIDS, KIDS),
            listing(*["\ufffe"] * 4),
            listing(*["<kids><kid><deep><er>1</er></deep></kid></kids>"] * 4),
            listing(*["<id>1</id>"] * 4),
            listing(*[f"{KIDS}<note>n</note>{KIDS}"] * 4),
            listing(*["<kids>" + "<a>" * 30 + "</a>" * 30 + "</kids>"] * 4),
            listing(*["<kids>" + "<kid><id>1</id></kid>" * 300 + "</kids>"] * 4),
        ],
    )
    def test_gives_the_same(self, text: str) -> None:
        check(text, "thing", THING)

    def test_orders_that_contradict_each_other(self) -> None:
        items = ["<thing><id>1</id><name>x</name></thing>", "<thing><name>x</name><id>1</id></thing>"] * 3
        check(f"<l>{''.join(items)}</l>", "thing", THING)


@pytest.mark.parametrize(
    "text",
    [
        listing(*[KIDS] * 4, end="</l><l/>"),
        listing(*[KIDS] * 4, end=""),
        listing(*[KIDS] * 4, end="<a></l>"),
        listing(KIDS, KIDS, "<kids>", KIDS),
        listing(KIDS, KIDS, "</thing></l><l><thing><id>1</id>", KIDS),
        listing(*[KIDS] * 4, start="<!DOCTYPE l><l>"),
    ],
)
def test_what_is_not_well_formed_is_refused_in_the_same_words(text: str) -> None:
    assert "not well-formed" in str(check(text, "thing", THING)) or "document type" in str(check(text, "thing", THING))


@pytest.mark.parametrize("bad", ["<id></id>", "<id>x</id>", "<name>x</name>"])
def test_without_a_required_value_the_reply_is_refused(bad: str) -> None:
    items = "<thing><id>1</id><name/></thing>" * 4 + f"<thing>{bad}</thing>"
    assert check(f"<l>{items}</l>", "thing", THING) == "no usable l/thing/id"


@pytest.mark.parametrize("piece", ["<![CDATA[", "<!--", "<thing>", "<thing><id>", "&", "]", "<a>", "<thing><![CDATA["])
def test_hostile_lists_take_no_more_time_than_others(piece: str) -> None:
    text = listing(*[KIDS] * 4, end="") + piece * 30_000
    assert isinstance(check(text, "thing", THING), str)


def test_items_are_trees_to_whoever_wants_them() -> None:
    quick = in_runs(listing(*[KIDS] * 4))
    watched = WatchedDocument(quick.root, quick.content, quick.zone)
    assert list(watched.records("thing", THING)) == list(quick.records("thing", THING))
    assert watched.drift == quick.drift
    assert quick.leaf("thing", integer) is None
    assert quick.drift == {Drift(DriftKind.UNREADABLE_VALUE, "l/thing")}
