"""The structure of what a reply decodes to."""

from pydantic import BaseModel

from app.doctor.shapes import shape_of
from app.gateway.pages import Collection
from app.upstream.listed import Listed


class Part(BaseModel):
    name: str | None


def test_items_are_looked_at_one_by_one() -> None:
    shape = {"data": [{"name": "str"}, {"name": "NoneType"}]}
    assert shape_of(Collection[Part](data=Listed(Part, [{"name": "x"}, {"name": None}]))) == shape
    assert shape_of(Collection[Part](data=[Part(name="x"), Part(name=None)])) == shape
