"""What is learnt from an item: its elements in their order, and in what they may differ."""

import pytest

from app.upstream.forms import ItemForm, Leaf, Nested, Writing
from app.upstream.learning import extended, form_of

TEXT, CDATA, EMPTY = (Writing.TEXT,), (Writing.CDATA,), (Writing.EMPTY,)


def test_leaves_and_records() -> None:
    item = "<t><a>1</a> <b><![CDATA[<x>]]></b><c /><d><e><f/></e><e><f>1</f><g>2</g></e></d><h><i>1</i></h></t>"
    assert form_of("t", item) == ItemForm(
        "t",
        (
            Leaf("a", TEXT),
            Leaf("b", CDATA),
            Leaf("c", EMPTY),
            Nested(("d", "e"), (Leaf("f", (Writing.EMPTY, Writing.TEXT)), Leaf("g", TEXT, optional=True))),
            Nested(("h",), (Leaf("i", TEXT),)),
        ),
    )


@pytest.mark.parametrize(
    "item",
    [
        "<u><a>1</a></u>",
        "<t><a>1</a>",
        "<t><a>1</b></t>",
        "<t><a><b>1</a></b></t>",
        "<t></a></t>",
        "<t><![CDATA[x]]></t>",
        "<t><a>1</a><a>2</a></t>",
        "<t><a>1</a><b/><a>2</a></t>",
        "<t><a><b/></a><c/><a><b/></a></t>",
        "<t><a><b><c/></b></a><a><b><c/></b></a></t>",
        "<t><a><b><c/></b><d/></a></t>",
        "<t><a><b/><b/></a></t>",
        "<t><a><b><c><d/></c></b></a></t>",
        "<t><a><b><c/><d/></b><b><d/><c/></b></a></t>",
        "<t><a><![CDATA[x]]><b/></a></t>",
        "<t><a><b/><![CDATA[x]]></a></t>",
        "<t>" + "<a/>" * 500 + "</t>",
        "",
    ],
)
def test_what_is_not_simple_has_no_form(item: str) -> None:
    assert form_of("t", item) is None


def _form(inner: str) -> ItemForm:
    form = form_of("t", f"<t>{inner}</t>")
    assert form is not None
    return form


class TestExtended:
    def test_what_is_new_is_put_where_it_stands(self) -> None:
        form = extended(_form("<a/><d>1</d>"), _form("<a>1</a><b/><c/><d>2</d><e/>"))
        assert form is not None
        assert [part.name for part in form.parts] == ["a", "b", "c", "d", "e"]
        assert all(isinstance(part, Leaf) and part.optional for part in form.parts)
        assert form.parts[0] == Leaf("a", (Writing.EMPTY, Writing.TEXT), optional=True)

    def test_an_empty_element_may_be_one_without_records(self) -> None:
        nested = Nested(("a", "b"), (Leaf("c", TEXT, optional=True),))
        for one, other in (("<a/>", "<a><b><c>1</c></b></a>"), ("<a><b><c>1</c></b></a>", "<a></a>")):
            assert extended(_form(one), _form(other)) == ItemForm("t", (nested,))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("<a/><b/>", "<b/><a/>"),
            ("<a><b><c/></b></a>", "<a><d><c/></d></a>"),
            ("<a><b><c/><d/></b></a>", "<a><b><d/><c/></b></a>"),
        ],
    )
    def test_contradictions(self, one: str, other: str) -> None:
        assert extended(_form(one), _form(other)) is None
