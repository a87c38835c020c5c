"""Reading records: present, missing, repeated, unknown; and the drift that is counted."""

from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from app.errors import NotFound
from app.upstream.document import Document, Drift, DriftKind, MissingId, UnexpectedForm
from app.upstream.records import Element, Record
from app.upstream.values import code, integer, text
from tests.support.documents import in_runs

ZONE = ZoneInfo("Asia/Shanghai")


class Child(BaseModel):
    id: int


class Thing(BaseModel):
    id: int
    name: str | None
    state: str | None
    state_code: int | None
    children: list[Child]


RECORD = Record(
    Thing,
    {
        "id": Element("id", convert=integer, required=True),
        "name": Element("name", "nmae"),
        "state": Element("state", convert=code({1: "on"}), optional=True),
        "state_code": Element("state", convert=integer, optional=True),
    },
    nested={"children": (("kids", "kid"), Record(Child, {"id": Element("id", convert=integer, required=True)}))},
    ignored=frozenset({"secret_path"}),
)


def document(xml: str) -> Document:
    return in_runs(xml)


def things(xml: str) -> tuple[list[Thing], set[tuple[str, str]]]:
    read = document(xml)
    found = list(read.records("thing", RECORD))
    return found, {(each.kind.value, each.path) for each in read.drift}


class TestRecords:
    @pytest.mark.parametrize("xml", ["<l></l>", "<l> \r\n </l>", "<l/>", "<l><thing/></l>"])
    def test_none(self, xml: str) -> None:
        assert things(xml)[0] == []

    def test_one_and_many(self) -> None:
        one = "<thing><id> 1\r\n</id><name/></thing>"
        assert [each.id for each in things(f"<l>{one}</l>")[0]] == [1]
        assert [each.id for each in things(f"<l>{one}{one}{one}</l>")[0]] == [1, 1, 1]

    def test_nested_lists_of_none_one_and_many(self) -> None:
        xml = "<l><thing><id>1</id><name>x</name><kids>{}</kids></thing></l>"
        assert things(xml.format(""))[0][0].children == []
        assert things(xml.format("<kid><id>1</id></kid>"))[0][0].children == [Child(id=1)]
        assert len(things(xml.format("<kid><id>1</id></kid><kid><id>2</id></kid>"))[0][0].children) == 2

    def test_the_spelling_that_says_something_counts(self) -> None:
        for inner in ("<name></name><nmae>x</nmae>", "<nmae></nmae><name>x</name>", "<nmae>y</nmae><name>x</name>"):
            assert things(f"<l><thing><id>1</id>{inner}</thing></l>")[0][0].name == "x"

    def test_alternative_spelling(self) -> None:
        found, drift = things("<l><thing><id>1</id><nmae>x</nmae></thing></l>")
        assert found[0].name == "x"
        assert drift == set()


class TestDrift:
    @pytest.mark.parametrize(
        ("inner", "kind", "path"),
        [
            ("<id>1</id><name/><extra>x</extra>", "unknown_element", "l/thing/extra"),
            ("<id>1</id>", "missing_element", "l/thing/name"),
            ("<id>1</id><name/><state>9</state>", "unknown_code", "l/thing/state"),
            ("<id>1</id><name>a</name><name>b</name>", "unreadable_value", "l/thing/name"),
            ("<id>1</id><name/>stray", "unknown_element", "l/thing/#text"),
            ("<id>1</id><name>half <b>a</b> name</name>", "unreadable_value", "l/thing/name"),
        ],
    )
    def test_is_counted_by_kind_and_path(self, inner: str, kind: str, path: str) -> None:
        assert (kind, path) in things(f"<l><thing>{inner}</thing></l>")[1]

    def test_unknown_code_is_the_word_unknown_beside_the_code(self) -> None:
        found, _ = things("<l><thing><id>1</id><name/><state>9</state></thing></l>")
        assert (found[0].state, found[0].state_code) == ("unknown", 9)

    def test_markup_outside_cdata_is_not_read_in_parts(self) -> None:
        assert things("<l><thing><id>1</id><name>half <b>a</b> name</name></thing></l>")[0][0].name is None

    def test_what_is_known_and_ignored_is_no_drift(self) -> None:
        assert things("<l><thing a='1'><id>1</id><name/>;<secret_path>/x</secret_path></thing></l>")[1] == {
            ("repaired_markup", "l/thing/#text")
        }

    def test_unknown_beside_the_records(self) -> None:
        read = document("<l><thing><id>1</id><name/></thing><total>1</total><new>1</new></l>")
        read.records("thing", RECORD, beside=frozenset({"total"}))
        assert read.drift == {Drift(DriftKind.UNKNOWN_ELEMENT, "l/new")}


class TestRequired:
    @pytest.mark.parametrize("inner", ["<name/>", "<id/><name/>", "<id>x</id><name/>"])
    def test_missing_empty_or_unreadable_refuses_the_reply(self, inner: str) -> None:
        with pytest.raises(UnexpectedForm, match="l/thing/id"):
            things(f"<l><thing>{inner}</thing></l>")


class TestCreatedId:
    @pytest.mark.parametrize(
        "inner",
        [
            "<data>78</data>",
            "<id> 78 </id><data>添加成功</data>",
            "<data>78</data>;",
            "<data>1,078</data>",
            "<data>“78”。</data>",
            "<address_id>78</address_id>",
            "<data><id>78</id></data>",
        ],
    )
    def test_stands_in_id_or_data(self, inner: str) -> None:
        read = document(f"<result><status>success</status>{inner}</result>")
        read.status = "success"
        assert read.created_id() in {78, 1078}

    def test_bare_text_is_the_id_or_nothing(self) -> None:
        assert Document("", " 78\r\n", ZONE).created_id() == 78
        for prose in ("PHP Warning on line 78", "错误 78", "", "0", "-78"):
            with pytest.raises(UnexpectedForm, match="no result"):
                Document("", prose, ZONE).created_id()

    @pytest.mark.parametrize(
        "inner",
        [
            "",
            "<data/>",
            "<data>ok</data>",
            "<data>0</data>",
            "<id>-1</id>",
            "<data>成功添加78个</data>",
            "<data>添加成功,78</data>",
            "<data>新建模板 id:78</data>",
        ],
    )
    def test_absent(self, inner: str) -> None:
        read = document(f"<result><status>success</status>{inner}</result>")
        with pytest.raises(UnexpectedForm, match="no result"):
            read.created_id()
        read.status = "success"
        with pytest.raises(MissingId):
            read.created_id()


def test_leaf() -> None:
    assert document("<r><total_num> 5 </total_num></r>").leaf("total_num", integer) == 5
    assert document("<r><a><b>1</b></a></r>").leaf("a", text) is None


class TestExpectedId:
    def test_the_right_one(self) -> None:
        document("<m><id> 5 </id></m>").expect_id("id", 5, missing="x")

    @pytest.mark.parametrize("xml", ["<m/>", "<m><id/></m>", "<m><id>0</id></m>", "<m><id/><subject/></m>"])
    def test_none(self, xml: str) -> None:
        with pytest.raises(NotFound, match="nothing here"):
            document(xml).expect_id("id", 5, missing="nothing here")

    @pytest.mark.parametrize(
        "xml", ["<m><id>6</id></m>", "<m><id/><subject>x</subject></m>", "<m><subject>x</subject></m>"]
    )
    def test_another(self, xml: str) -> None:
        with pytest.raises(UnexpectedForm, match="another"):
            document(xml).expect_id("id", 5, missing="x")
