"""Writing the XML that the U-Mail service writes, habits included.

Values may stand in white space and CRLF, empty elements mean "no value", some text comes as CDATA, and the two
import replies carry a stray semicolon. Everything here turns plain values into text; nothing reads state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.sax.saxutils import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class SandboxReply:
    """What an operation answers: a body, its content type and further headers; always HTTP 200 unless said."""

    body: bytes
    content_type: str = HTML
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def leaf(tag: str, value: object = "") -> str:
    """Write ``<tag>value</tag>``; an empty value gives an empty element."""
    return f"<{tag}>{escape(str(value))}</{tag}>\r\n"


def padded(tag: str, value: object) -> str:
    """Write a value surrounded by CRLF and blanks, as the live service does for some fields."""
    return f"<{tag}>\r\n   {escape(str(value))}\r\n </{tag}>\r\n"


def cdata(tag: str, value: object) -> str:
    """Write a value as CDATA; a ``]]>`` inside it is split over two sections."""
    text = str(value).replace("]]>", "]]]]><![CDATA[>")
    return f"<{tag}><![CDATA[{text}]]></{tag}>\r\n"


def group(tag: str, parts: Iterable[str]) -> str:
    """Write an element that holds other elements; without any it is an empty element."""
    return f"<{tag}>{''.join(parts)}</{tag}>\r\n"


def leaves(pairs: Iterable[tuple[str, object]]) -> str:
    """Write several plain elements in a row."""
    return "".join(leaf(tag, value) for tag, value in pairs)


def document(root: str, *, declared: bool = True) -> SandboxReply:
    """Make a reply of a root element; ``declared=False`` leaves out the XML declaration, as section 3.1 shows."""
    return SandboxReply(((DECLARATION if declared else "") + root).encode())


def result(status: str, data: object, *, record_id: int | None = None, stray: bool = False) -> SandboxReply:
    """Make a ``<result>`` reply.

    ``record_id`` adds the ``<id>`` of section 5.1; ``stray`` puts the semicolon of sections 4.9.3 and 4.9.4 behind
    ``</data>``.
    """
    text = cdata("data", data)
    if stray:
        text = text.rstrip() + ";\r\n"
    identifier = "" if record_id is None else leaf("id", record_id)
    return document(group("result", ["\r\n", padded("status", status), identifier, text]))


def plain_text(lines: Iterable[str]) -> SandboxReply:
    """Make a text export, one record a line; the live service labels it as HTML all the same."""
    return SandboxReply("".join(f"{line}\r\n" for line in lines).encode())


MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "auth_error": "用户名或密码错误",
        "no_permission": "没有权限，仅管理员账号可调用",
        "do_error": "操作类型不存在",
        "param_error": "参数错误",
        "not_exist": "记录不存在",  # M: 4.9.4
        "add_maillist_error": "添加联系人分类时发生错误",  # M: 4.3
        "add_describe_error": "添加联系人分类描述信息时发生错误",  # M: 4.3
        "update_maillist_error": "修改联系人分类时发生错误",  # M: 4.4
        "update_describe_error": "修改联系人分类描述信息时发生错误",  # M: 4.4
        "delete_maillist_error": "删除联系人分类出错",  # M: 4.5
        "error": "参数错误",  # M: 4.9.4
        "no_complete": "正在解析",  # M: 4.9.4
        "address_error": "邮件地址格式错误",
        "address_exist": "该分类中已存在此邮件地址",
        "file_error": "上传文件不存在或为空",
        "template_not_pass": "模板检测不通过，不能发送",
        "time_error": "发送时间格式错误",
        "qty_error": "发送地址范围错误，起始值不能为0",
        "qty_not_enough": "剩余群发量不足",
        "call_limit": "调用次数超过限制，1小时内不能超过100次",
        "task_status_error": "当前状态的任务不允许此操作",
        "domain_error": "域名格式错误",
        "domain_exist": "域名已存在",
        "domain_verified": "已经验证通过的域名不能删除",
        "customer_not_exist": "客户不存在",
        "mailbox_error": "邮箱账号格式错误",
        "mailbox_exist": "邮箱账号已存在",
        "password_error": "密码不能为空",
    }
)


class PlatformError(Exception):
    """A refusal by the platform: answered as ``<result><status>CODE</status><data>text</data></result>``."""

    def __init__(self, code: str, message: str | None = None) -> None:
        """Take a code of ``MESSAGES`` and, optionally, a text that says more than the table does."""
        self.code = code
        self.message = message or MESSAGES[code]
        super().__init__(f"{code}: {self.message}")
