"""Every error status the sandbox answers with, in one table.

Codes marked M are the manual's own. The manual documents too few, so the others are the sandbox's: believable names
for refusals that the manual describes in words only.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
