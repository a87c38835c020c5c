"""Contacts, from JSON to the platform and back."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.contact_rows import ContactRow, write_line
from app.sandbox import Fault, Sandbox
from app.tenants.models import Scope
from tests.conftest import Clients
from tests.support.access import assert_needs
from tests.support.problems import problem, refused_fields

LI_NA = {
    "email": "li.na@example.com",
    "name": "李娜",
    "sex": "female",
    "birthday": "1988-04-08",
    "phone": "075512345678",
    "area": "北京市丰台区",
    "variables": {"var1": "gold", "var10": "0010"},
}


@pytest.fixture
async def list_id(client: httpx2.AsyncClient) -> int:
    created: int = (await client.post("/v1/lists", json={"name": "新闻订阅"})).json()["id"]
    return created


async def total(client: httpx2.AsyncClient, path: str) -> int:
    found: int = (await client.get(path)).json()["pagination"]["total"]
    return found


class TestAdd:
    async def test_answers_the_contact_and_where_it_is(self, client: httpx2.AsyncClient, list_id: int) -> None:
        response = await client.post(f"/v1/lists/{list_id}/contacts", json=LI_NA)
        assert response.status_code == 201, response.text
        added = response.json()
        assert added == {"id": added["id"], "list_id": list_id, **LI_NA, "created_at": None}
        read = (await client.get(response.headers["location"])).json()
        assert read["created_at"].endswith("+08:00")
        assert {**read, "created_at": None} == added

    async def test_personal_data_stays_out_of_the_url(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int
    ) -> None:
        await client.post(f"/v1/lists/{list_id}/contacts", json=LI_NA)
        assert set(sandbox.calls[-1].query) == {"do", "list_id"}

    async def test_separators_are_no_danger_outside_the_line_form(
        self, client: httpx2.AsyncClient, list_id: int
    ) -> None:
        body = {"email": "a@example.com", "name": "Smith, John; Jr", "area": "北京，丰台"}
        response = await client.post(f"/v1/lists/{list_id}/contacts", json=body)
        read = (await client.get(response.headers["location"])).json()
        assert (read["name"], read["area"]) == ("Smith, John; Jr", "北京，丰台")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no-at-sign"),
            ("email", "a@example.com\nb@example.com"),
            ("email", "a@example.com;b@example.com"),
            ("email", "用户@example.com"),
            ("email", "a@b"),
            ("email", "a@b。cn"),
            ("email", "a@ｂ.cn"),
            ("email", "a@b.123"),
            ("email", "x" * 65 + "@example.com"),
            ("email", "A <a@example.com>"),
            ("email", "x" * 250 + "@example.com"),
            ("email", None),
            ("name", "a\r\nb"),
            ("name", "x" * 256),
            ("sex", "F"),
            ("birthday", "1988-4-8"),
            ("birthday", "1988-02-30"),
            ("birthday", 19880408),
            ("birthday", "1988-04-08T00:00:00"),
            ("phone", 13800138000),
            ("variables", {"var11": "x"}),
            ("variables", {"var1": 1}),
            ("variables", ["x"]),
            ("nickname", "x"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, field: str, value: Any) -> None:
        response = await offline.post("/v1/lists/1/contacts", json={"email": "a@example.com", field: value})
        (pointer,) = refused_fields(response)
        assert pointer == f"/{field}" or pointer.startswith(f"/{field}/")


class TestBatch:
    async def test_rows_arrive_as_they_were_given(self, client: httpx2.AsyncClient, list_id: int) -> None:
        rows = [LI_NA, {"email": "b@example.com"}, {"email": "c@example.com", "variables": {"var5": "five"}}]
        response = await client.post(f"/v1/lists/{list_id}/contacts/batch", json={"contacts": rows})
        assert response.status_code == 200, response.text
        assert response.json()["accepted"] == 3
        data = (await client.get(f"/v1/lists/{list_id}/contacts")).json()["data"]
        read = {each["email"]: each for each in data}
        assert {name: read["li.na@example.com"][name] for name in LI_NA} == LI_NA
        assert read["c@example.com"]["variables"] == {"var5": "five"}

    async def test_one_bad_row_refuses_all_and_names_every_field(self, offline: httpx2.AsyncClient) -> None:
        rows = [LI_NA, {"email": "bad", "name": "a;b"}, {"email": "c@example.com", "variables": {"var1": "x，y"}}, {}]
        response = await offline.post("/v1/lists/1/contacts/batch", json={"contacts": rows})
        assert refused_fields(response) == {
            "/contacts/1/email",
            "/contacts/1/name",
            "/contacts/2/variables/var1",
            "/contacts/3/email",
        }

    async def test_every_field_of_the_largest_batch_is_named(self, offline: httpx2.AsyncClient) -> None:
        rows = [{"email": "bad", "name": "a;b"}] * 500
        assert len(refused_fields(await offline.post("/v1/lists/1/contacts/batch", json={"contacts": rows}))) == 1000

    @pytest.mark.parametrize("character", [";", "；", ",", "，", "\t", "\n", "\r", "\u2028", "\x0b", "\x85"])
    @pytest.mark.parametrize("field", ["name", "phone", "area"])
    async def test_nothing_can_shift_a_column_or_inject_a_row(
        self, offline: httpx2.AsyncClient, field: str, character: str
    ) -> None:
        row = {"email": "a@example.com", field: f"x{character}evil@example.com"}
        response = await offline.post("/v1/lists/1/contacts/batch", json={"contacts": [row]})
        assert refused_fields(response) == {f"/contacts/0/{field}"}

    @pytest.mark.parametrize("count", [0, 501])
    async def test_size(self, offline: httpx2.AsyncClient, count: int) -> None:
        rows = [{"email": f"a{number}@example.com"} for number in range(count)]
        response = await offline.post("/v1/lists/1/contacts/batch", json={"contacts": rows})
        assert refused_fields(response) == {"/contacts"}


class TestByEmail:
    async def test_in_every_list(self, client: httpx2.AsyncClient, list_id: int) -> None:
        other = (await client.post("/v1/lists", json={"name": "other"})).json()["id"]
        for each in (list_id, other):
            await client.post(f"/v1/lists/{each}/contacts", json=LI_NA)
            await client.post(f"/v1/lists/{each}/contacts", json={"email": f"x{LI_NA['email']}"})
        found = (await client.get("/v1/contacts/by-email/LI.NA@example.com")).json()
        assert found["email"] == LI_NA["email"]
        assert [each["list_id"] for each in found["memberships"]] == [list_id, other]
        for contact in found["memberships"]:
            assert (await client.get(f"/v1/contacts/{contact['id']}")).json() == contact
        problem(await client.get("/v1/contacts/by-email/nobody@example.com"), 404, "not_found")

    async def test_added_once_and_then_changed(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int
    ) -> None:
        path = f"/v1/lists/{list_id}/contacts/by-email/Li.Na@example.com"
        details = {name: value for name, value in LI_NA.items() if name != "email"}
        added = await client.put(path, json=details)
        assert (added.status_code, added.headers["location"]) == (201, f"/v1/contacts/{added.json()['id']}")
        same = await client.put(path, json=details)
        assert (same.status_code, same.json()["id"]) == (200, added.json()["id"])
        changed = (await client.put(path, json={"name": None, "variables": {"var9": "nine"}})).json()
        variables = {**same.json()["variables"], "var9": "nine"}
        assert changed == {**same.json(), "name": None, "variables": variables}
        calls = len(sandbox.calls)
        assert (await client.put(path, json={})).json() == changed
        assert [call.operation for call in sandbox.calls[calls:]] == ["ml-addr-list"]
        assert len((await client.get(f"/v1/lists/{list_id}/contacts")).json()["data"]) == 1

    async def test_other_lists_do_not_count(self, client: httpx2.AsyncClient, list_id: int) -> None:
        other = (await client.post("/v1/lists", json={"name": "other"})).json()["id"]
        for each in (list_id, other):
            assert (await client.put(f"/v1/lists/{each}/contacts/by-email/a@example.com", json={})).status_code == 201
        await client.put(f"/v1/lists/{other}/contacts/by-email/a@example.com", json={"name": "A"})
        found = (await client.get("/v1/contacts/by-email/a@example.com")).json()["memberships"]
        assert [each["name"] for each in found] == [None, "A"]

    async def test_a_search_that_fails_adds_nothing(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int
    ) -> None:
        path = f"/v1/lists/{list_id}/contacts/by-email/a@example.com"
        sandbox.misbehave(Fault("status", operation="ml-addr-list", status=500))
        problem(await client.put(path, json={}), 502, "upstream_error")
        assert sandbox.calls[-1].operation == "ml-addr-list"

    async def test_access_and_refusals(self, offline: httpx2.AsyncClient) -> None:
        await assert_needs(Scope.READ, "GET", "/v1/contacts/by-email/a@example.com")
        await assert_needs(Scope.WRITE, "PUT", "/v1/lists/1/contacts/by-email/a@example.com")
        for bad in ("a", "a@b@c,d@e", "%40", "a%0a@example.com"):
            assert refused_fields(await offline.get(f"/v1/contacts/by-email/{bad}")) == {"email"}
            assert refused_fields(await offline.put(f"/v1/lists/1/contacts/by-email/{bad}", json={})) == {"email"}
        path = "/v1/lists/1/contacts/by-email/a@example.com"
        assert refused_fields(await offline.put(path, json={"email": "a@example.com"})) == {"/email"}


async def test_a_batch_tells_what_became_of_its_rows(client: httpx2.AsyncClient, list_id: int) -> None:
    path = f"/v1/lists/{list_id}/contacts/batch"
    await client.post(path, json={"contacts": [LI_NA]})
    answer = (await client.post(path, json={"contacts": [LI_NA, {"email": "b@example.com"}]})).json()
    assert (answer["accepted"], answer["added"], answer["updated"], answer["refused"]) == (2, 1, 1, 0)


cells = st.none() | st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=";；,，\ufffe\uffff"), max_size=20
)


@given(name=cells, area=cells, var3=cells, sex=st.sampled_from(["male", "female", None]))
def test_a_line_has_its_values_in_their_columns(
    name: str | None, area: str | None, var3: str | None, sex: str | None
) -> None:
    row = ContactRow.model_validate(
        {"email": "a@example.com", "name": name, "area": area, "sex": sex, "variables": {"var3": var3 or ""}}
    )
    columns = (write_line(row) + ";" * 16).split(";")[:16]
    code = {"male": "M", "female": "F", None: ""}[sex]
    assert columns == ["a@example.com", name or "", code, "", "", area or "", "", "", var3 or "", *[""] * 7]


class TestPaging:
    @pytest.fixture
    async def filled(self, client: httpx2.AsyncClient, list_id: int) -> int:
        rows = [{"email": f"user{number:02}@example.com", "name": f"张{number}"} for number in range(25)]
        await client.post(f"/v1/lists/{list_id}/contacts/batch", json={"contacts": rows})
        return list_id

    async def test_following_next_meets_every_contact_once(self, client: httpx2.AsyncClient, filled: int) -> None:
        seen: list[str] = []
        url: str | None = f"/v1/lists/{filled}/contacts?page_size=10"
        while url:
            response = await client.get(url)
            seen += [each["email"] for each in response.json()["data"]]
            url = response.links.get("next", {}).get("url")
        assert sorted(seen) == [f"user{number:02}@example.com" for number in range(25)]

    async def test_links_and_pagination(self, client: httpx2.AsyncClient, filled: int) -> None:
        response = await client.get(f"/v1/lists/{filled}/contacts?page=2&page_size=10&q=user")
        assert response.json()["pagination"] == {"page": 2, "page_size": 10, "total": 25, "has_more": True}
        assert {name: link["url"].partition("?")[2] for name, link in response.links.items()} == {
            "first": "page_size=10&q=user&page=1",
            "prev": "page_size=10&q=user&page=1",
            "next": "page_size=10&q=user&page=3",
            "last": "page_size=10&q=user&page=3",
        }

    async def test_beyond_the_end(self, client: httpx2.AsyncClient, filled: int) -> None:
        response = await client.get(f"/v1/lists/{filled}/contacts?page=9&page_size=10")
        assert response.json()["pagination"]["has_more"] is False
        assert response.json()["data"] == []
        assert set(response.links) == {"first", "prev", "last"}

    async def test_search(self, client: httpx2.AsyncClient, filled: int) -> None:
        found = (await client.get(f"/v1/lists/{filled}/contacts", params={"q": "张24"})).json()["data"]
        assert [each["email"] for each in found] == ["user24@example.com"]

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("page=0", "page"),
            ("page=x", "page"),
            ("page_size=0", "page_size"),
            ("page_size=501", "page_size"),
            ("pagesize=10", "pagesize"),
            ("page=1&page=2", "page"),
            ("q=%00", "q"),
            ("q=" + "x" * 256, "q"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, query: str, parameter: str) -> None:
        assert refused_fields(await offline.get(f"/v1/lists/1/contacts?{query}")) == {parameter}


class TestAllContacts:
    async def test_over_all_lists_and_in_none(self, clients: Clients) -> None:
        client = clients["seeded"]
        everything = await total(client, "/v1/contacts")
        unlisted = (await client.get("/v1/contacts?unlisted=true&page_size=500")).json()
        listed = [
            await total(client, f"/v1/lists/{each['id']}/contacts")
            for each in (await client.get("/v1/lists")).json()["data"]
        ]
        assert everything == sum(listed) + unlisted["pagination"]["total"]
        assert all(each["list_id"] is None for each in unlisted["data"])

    async def test_list_zero_is_not_a_list(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.get("/v1/lists/0/contacts")) == {"list_id"}


class TestEditAndDelete:
    @pytest.fixture
    async def contact(self, client: httpx2.AsyncClient, list_id: int) -> str:
        response = await client.post(f"/v1/lists/{list_id}/contacts", json=LI_NA)
        location: str = response.headers["location"]
        return location

    async def test_changes_only_what_is_given(self, client: httpx2.AsyncClient, sandbox: Sandbox, contact: str) -> None:
        response = await client.patch(contact, json={"name": "李娜娜", "variables": {"var2": "new"}})
        assert response.status_code == 200, response.text
        changed = response.json()
        assert (changed["name"], changed["phone"], changed["sex"]) == ("李娜娜", LI_NA["phone"], "female")
        assert changed["variables"] == {"var1": "gold", "var2": "new", "var10": "0010"}
        edit = next(call for call in sandbox.calls if call.operation == "ml-addr-edit")
        assert edit.form == {"fullname": "李娜娜", "var2": "new"}

    async def test_null_clears(self, client: httpx2.AsyncClient, contact: str) -> None:
        changes = {"name": None, "sex": None, "birthday": None, "variables": {"var1": None}}
        changed = (await client.patch(contact, json=changes)).json()
        assert (changed["name"], changed["sex"], changed["birthday"]) == (None, None, None)
        assert changed["variables"] == {"var10": "0010"}

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({}, ""),
            ({"email": None}, "/email"),
            ({"variables": {}}, "/variables"),
            ({"created_at": None}, "/created_at"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, changes: dict[str, Any], pointer: str) -> None:
        assert refused_fields(await offline.patch("/v1/contacts/1", json=changes)) == {pointer}

    async def test_deleted_is_gone(self, client: httpx2.AsyncClient, contact: str) -> None:
        assert (await client.delete(contact)).status_code == 204
        problem(await client.get(contact), 404, "not_found")


class TestEmpty:
    async def test_needs_confirmation(self, offline: httpx2.AsyncClient) -> None:
        for query in ("", "?confirm=false"):
            assert refused_fields(await offline.delete(f"/v1/lists/1/contacts{query}")) == {"confirm"}

    async def test_leaves_the_list(self, client: httpx2.AsyncClient, list_id: int) -> None:
        await client.post(f"/v1/lists/{list_id}/contacts", json=LI_NA)
        assert (await client.delete(f"/v1/lists/{list_id}/contacts?confirm=true")).status_code == 204
        assert await total(client, f"/v1/lists/{list_id}/contacts") == 0
        assert (await client.get(f"/v1/lists/{list_id}")).status_code == 200


async def test_account_and_service(clients: Clients) -> None:
    account = (await clients["seeded"].get("/v1/account")).json()
    service = (await clients["seeded"].get("/v1/account/service")).json()
    assert account["username"] == "seeded"
    assert service["account_id"] == account["id"]
    assert service["status"] == "enabled"
