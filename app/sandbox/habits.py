"""Habits of PHP services: each changes a good reply into one that such services really send.

`REPAIRABLE` leaves every value as it was. `UNTRUSTWORTHY` makes a reply that is shortened, broken off or about
something else. `ACKNOWLEDGEMENTS` spells the result of a write in another way.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.entities import codepoint2name
from types import MappingProxyType
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from app.sandbox.changes import (
    ROOT,
    Element,
    Habit,
    change_export,
    change_inside,
    change_leaves,
    change_tree,
    change_xml,
    is_xml,
    put_behind,
    with_header,
)
from app.sandbox.dialect import SandboxReply

_PLACE = "in <b>/usr/local/umail/web/mm-ms/apinew/inc/db.php</b> on line <b>214</b>"
_WARNING = f"<br />\n<b>Warning</b>:  mysql_fetch_array() expects parameter 1 to be resource {_PLACE}<br />\n"
_NOTICE = f"<br />\n<b>Notice</b>:  Undefined index: fullname {_PLACE}<br />\n"
_FATAL = f"<br />\n<b>Fatal error</b>:  Maximum execution time of 30 seconds exceeded {_PLACE}<br />\n"
_TEXT_NOTICE, _TEXT_WARNING, _TEXT_FATAL = (
    "\nPHP " + re.sub("<.*?>", "", text).strip() + "\n" for text in (_NOTICE, _WARNING, _FATAL)
)
_PROSE = "SQLSTATE[HY000] [1045] Access denied for user umail@db.example (using password: YES)\r\n"
_JSON = '{"status":"error","msg":"database gone, tell admin@example.com"}\r\n'
_RESULT = "<result><status>db_error</status><data>请联系 admin@example.com</data></result>\r\n"
_BOM = "\ufeff"

_DECLARATION = re.compile(r"<\?xml[^>]*\?>\s*", re.IGNORECASE)
_AMPERSAND = re.compile(r"&amp;(?!#?\w+;)")
"""One that means the same when it is written bare."""
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)

_TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_DAYS = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?= |\Z)")
_ID_NAMES = frozenset(
    [
        "id",
        "list_id",
        "task_id",
        "tpl_id",
        "track_id",
        "send_id",
        "task_ident",
        "task_sn",
        "date",
        "task_date",
        "domain",
    ]
)
_COUNT_NAMES = frozenset({"count", "total_num", "send_count", "total", "qty_available", "qty_buytotal", "totalsum"})
_QUOTA_NAMES = frozenset({"qty_available", "qty_buytotal"})


def _encoded(charset: str, codec: str, *, declared: bool) -> Habit:
    """Encode a reply, and say so in the declaration; text exports say it in the header."""

    def encode(reply: SandboxReply) -> SandboxReply:
        text = reply.body.decode().removeprefix(_BOM)
        if not is_xml(reply):
            return replace(reply, body=text.encode(codec, "replace"), content_type=f"text/html; charset={charset}")
        declaration = f'<?xml version="1.0" encoding="{charset}"?>\n' if declared else ""
        body = declaration + _escaped(_DECLARATION.sub("", text, count=1))
        return replace(reply, body=body.encode(codec, "xmlcharrefreplace"), content_type="text/html")

    return encode


def _escaped(text: str) -> str:
    """Write CDATA sections as escaped text."""
    return _CDATA.sub(lambda section: escape(section[1]), text)


def _surrogates(text: str) -> str:
    def units(character: str) -> str:
        code = character.encode("utf-16-be").hex()
        return f"&#x{code[:4]};&#x{code[4:]};"

    return "".join(units(character) if character > "\uffff" else character for character in _escaped(text))


def _entities(text: str) -> str:
    names = ((character, codepoint2name.get(ord(character), "")) for character in _escaped(text))
    return "".join(f"&{name};" if name and character > "\x7f" else character for character, name in names)


def _children_in_capitals(root: Element) -> None:
    for element in root.iter():
        if element is not root:
            element.tag = element.tag.upper()


def _records(root: Element) -> list[Element]:
    """Return the repeated elements of an answer, or the answer itself if it holds leaves."""
    records = [element for element in root if len(element) and not len(element[0])]
    return records or ([root] if len(root) else [])


def _unknown_fields(root: Element) -> None:
    for record in _records(root):
        for element in record.iter():
            if element is not record:
                element.tag = f"x_{element.tag}"


def _unknown_wrapper(root: Element) -> None:
    if root.tag != "result" and len(root):
        wrapper = ElementTree.Element("response")
        wrapper.extend(list(root))
        for child in list(root):
            root.remove(child)
        root.append(wrapper)


def _count_without_rows(root: Element) -> None:
    if (total := root.find("total_num")) is not None:
        total.text = "12"
        for record in root.findall("addr"):
            root.remove(record)


def _twice(root: Element) -> None:
    records = _records(root)
    if records and records[0] is not root and root.tag != "result":
        root.append(records[0])


def _another(root: Element) -> None:
    """Answer about something else: every id, batch number and day is another one."""
    for element in root.iter():
        text = (element.text or "").strip()
        if element.tag in _ID_NAMES and text:
            element.text = f"9{text}" if text.isdigit() else f"1{text[1:]}"


def _status(written: str) -> Habit:
    def apply(root: Element) -> None:
        status = root.find("status")
        if root.tag == "result" and status is not None and (status.text or "").strip() == "success":
            status.text = written

    return change_tree(apply)


def _created(change: Callable[[Element, str], None]) -> Habit:
    """Change how the id of what was created is written."""

    def apply(root: Element) -> None:
        for element in root.findall("data") + root.findall("id"):
            if root.tag == "result" and (text := (element.text or "").strip()).isdigit():
                change(element, text)

    return change_tree(apply)


def _set(element: Element, text: str) -> None:
    element.text = text


def _nest(element: Element, text: str) -> None:
    element.text = None
    ElementTree.SubElement(element, "address_id").text = text


def _deflated(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


def _thousands(text: str) -> str:
    return f"{int(text):,}" if text.strip().isdigit() else text


def _as_float(text: str) -> str:
    return f"{text.strip()}.0" if text.strip().isdigit() else text


def _with_unit(text: str) -> str:
    return f"{text.strip()} 封" if text.strip().isdigit() else text


REPAIRABLE: Mapping[str, Habit] = MappingProxyType(
    {
        "surplus_bom": change_xml(lambda text: f"{_BOM}\r\n{_BOM}{_BOM}\n{text}"),
        "php_notice": change_xml(lambda text: _NOTICE + text),
        "text_notice": change_xml(lambda text: _TEXT_NOTICE + text),
        "leading_comment": change_xml(lambda text: f"<!-- cached -- 0.02s -->\n{text}"),
        "second_declaration": change_xml(lambda text: f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'),
        "capital_declaration": change_xml(lambda text: text.replace("<?xml", "<?XML", 1)),
        "stray_tail": change_xml(lambda text: f"{text};\r\n?>\r\n"),
        "trailing_notice": change_xml(lambda text: f"{text}<!-- 0.02s -->{_NOTICE}{_BOM}\0\0\0 done\n"),
        "capital_children": change_tree(_children_in_capitals),
        "inner_comment": change_inside(lambda text: f"<!-- a -- b -->{text}<!-- <item> & -->"),
        "latin1_header": lambda reply: replace(reply, content_type="text/html; charset=ISO-8859-1"),
        "gbk_header": lambda reply: replace(reply, content_type="text/html; charset=GBK"),
        "declared_cp936": _encoded("cp936", "gbk", declared=True),
        "declared_gb2312": _encoded("gb2312", "gbk", declared=True),
        "undeclared_gb18030": _encoded("gb18030", "gb18030", declared=False),
        "content_encoding_utf8": with_header("Content-Encoding", "UTF-8"),
        "content_encoding_none": with_header("Content-Encoding", "none"),
        "content_encoding_binary": with_header("Content-Encoding", "binary"),
        "gzip_padding": with_header("Content-Encoding", "gzip", lambda body: gzip.compress(body) + bytes(64)),
        "raw_deflate": with_header("Content-Encoding", "deflate", _deflated),
        "surrogates": change_xml(_surrogates),
        "html_entities": change_xml(_entities),
        "bare_ampersand": change_xml(lambda text: _AMPERSAND.sub("&", _escaped(text))),
        "lower_cdata": change_xml(lambda text: text.replace("<![CDATA[", "<![cdata[")),
        "no_characters": change_xml(lambda text: ROOT.sub("\\1&#0;\x0b\\3&#xffff;\\4", text, count=1)),
        "thousands": change_leaves(_thousands, _COUNT_NAMES),
        "floats": change_leaves(_as_float, _COUNT_NAMES),
        "units": change_leaves(_with_unit, _QUOTA_NAMES),
        "php_zero_time": change_leaves(lambda text: text.replace("0000-00-00 00:00:00", "1970-01-01 08:00:00")),
        "slashed_days": change_leaves(lambda text: _DAYS.sub(r"\1/\2/\3", text) if _TIMES.search(text) else text),
        "fractions": change_leaves(lambda text: _TIMES.sub(r"\g<0>.0", text)),
    }
)

UNTRUSTWORTHY: Mapping[str, Habit] = MappingProxyType(
    {
        "php_warning": change_export(lambda _text: _WARNING),
        "text_warning": change_export(lambda _text: _TEXT_WARNING),
        "warning_inside": change_export(lambda text: _WARNING + text),
        "php_fatal": put_behind(_FATAL),
        "text_fatal": put_behind(_TEXT_FATAL),
        "error_prose": change_export(lambda _text: _PROSE),
        "error_prose_behind": put_behind(_PROSE),
        "json_error": change_export(lambda _text: _JSON),
        "json_error_behind": put_behind(_JSON),
        "error_in_root": change_export(lambda _text: "<error>数据库连接失败</error>"),
        "result_behind": change_export(lambda text: f"{text.rstrip()}\r\n{_RESULT}" if text.strip() else text),
        "unknown_wrapper": change_tree(_unknown_wrapper),
        "unknown_fields": change_tree(_unknown_fields),
        "count_without_rows": change_tree(_count_without_rows),
        "another": change_tree(_another),
        "twice": change_tree(_twice),
    }
)

ACKNOWLEDGEMENTS: Mapping[str, Habit] = MappingProxyType(
    {
        "capital_status": _status("Success"),
        "shouted_status": _status(" SUCCESS;"),
        "punctuated_status": _status("success。"),
        "unknown_status": _status("done"),
        "no_status": _status(""),
        "quoted_id": _created(lambda element, text: _set(element, f'"{text}"')),
        "separated_id": _created(lambda element, text: _set(element, f"{int(text):,}。")),
        "nested_id": _created(_nest),
    }
)

HABITS: Mapping[str, Habit] = MappingProxyType({**REPAIRABLE, **UNTRUSTWORTHY, **ACKNOWLEDGEMENTS})
