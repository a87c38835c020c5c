"""What people read comes in their language, all of it."""

import string
from collections.abc import Callable, Iterable, Iterator

import httpx2
import pytest

from app.api.languages import catalogue, preferred_language, read_catalogue
from app.api.strict_json import strict_json
from app.errors import MalformedRequest
from app.texts import sentence
from tests.support.running import client_of, make_app
from tests.support.sentences import formatted, of_documents, of_pages, of_problems

CHINESE = catalogue("zh")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("source", [of_problems, of_pages, of_documents])
def test_every_sentence_is_translated(source: Callable[[], Iterator[str]]) -> None:
    missing = [each for each in dict.fromkeys(source()) if each not in {*CHINESE.messages, "{reason}"}]
    assert missing == []


def test_no_sentence_is_put_together_behind_the_catalogues_back() -> None:
    assert list(formatted()) == []


def test_translations_keep_values_and_code() -> None:
    for english, chinese in CHINESE.messages.items():
        assert english.count("`") == chinese.count("`"), english
        assert ("<" in english) == ("<" in chinese), english
        assert fields(chinese) == fields(english), english


def test_values_that_are_sentences_are_translated_too() -> None:
    told = sentence("{whose} has used up its limit of {limit} requests a minute.", whose="This key", limit=5)
    assert told == "This key has used up its limit of 5 requests a minute."
    assert CHINESE.gettext(told) == "此密钥每分钟 5 个请求的限额已用完。"


def test_a_catalogue_is_read_as_gettext_writes_it() -> None:
    po = """msgid ""
msgstr ""
"Language: zh\\n"

# who
msgid "a \\"b\\""
msgstr ""
"c"
"d\\n"

msgid "e"
msgstr "f"
"""
    assert dict(read_catalogue(po)) == {'a "b"': "cd\n", "e": "f"}


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ([], "en"),
        ([b"zh"], "zh"),
        ([b"zh-Hant-TW,zh;q=0.9,en;q=0.8"], "zh"),
        ([b"en-US,en;q=0.9,zh;q=0.8"], "en"),
        ([b"de", b"zh;q=0.2"], "zh"),
        ([b"zh;q=0, en;q=0.1"], "en"),
        ([b"zh;q=0"], "en"),
        ([b"zh;q=9,,;;"], "en"),
        ([b"*"], "en"),
    ],
)
def test_the_language_is_the_one_that_is_preferred(headers: Iterable[bytes], language: str) -> None:
    assert preferred_language(headers) == language


async def test_a_problem_speaks_to_its_reader() -> None:
    async with client_of(make_app([]), key=None) as client:
        english = await client.get("/v1/lists")
        chinese = await client.get("/v1/lists", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert english.headers["content-language"] == "en"
    assert chinese.headers["content-language"] == "zh-CN"
    assert "Accept-Language" in chinese.headers["vary"]
    assert (english.json()["title"], chinese.json()["title"]) == ("Authentication needed", "需要认证")
    assert english.json()["code"] == chinese.json()["code"]


async def test_the_document_comes_in_chinese() -> None:
    async with client_of(make_app([]), key=None) as client:
        document = (await client.get("/openapi.json?lang=zh")).json()
    assert document["paths"]["/v1/campaigns"]["post"]["summary"] == "新建群发任务"
    assert document["components"]["schemas"]["NewContact"]["properties"]["email"]["description"] == "联系人的邮箱地址。"


async def test_a_mistaken_path_is_set_right(offline: httpx2.AsyncClient) -> None:
    for path, nearest in {
        "/v1/list": "/v1/lists",
        "/v1/lists/": "/v1/lists",
        "/v1/lists/78/contact": "/v1/lists/{list_id}/contacts",
    }.items():
        found = await offline.get(path, headers={"Accept-Language": "zh"})
        assert found.json()["detail"] == f"此路径下没有资源。最接近的路径是 `{nearest}`。"
    for path in ("/v1/nonsense", "/v1/" + "x" * 200):
        assert (await offline.get(path)).json()["detail"] == "There is nothing at this path."


def test_what_is_not_json_is_said_in_our_words() -> None:
    for body, fault in {
        b'{"a" 1}': "缺少冒号",
        b'{"a": 1,, }': "双引号",
        b"[1 2]": "缺少逗号",
        b"1 2": "应在此处结束",
        b'"\\x"': "没有这种转义",
    }.items():
        with pytest.raises(MalformedRequest) as refused:
            strict_json(body)
        assert fault in CHINESE.gettext(refused.value.detail)
