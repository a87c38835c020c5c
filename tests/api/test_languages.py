"""What people read comes in their language, all of it."""

import string
from collections.abc import Callable, Iterable, Iterator

import pytest

from app.api.languages import catalogue, preferred_language, read_catalogue
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
