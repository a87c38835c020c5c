"""Chapter 7, mailboxes: 7.7 to 7.10, for the caller or, as a manager, for a customer."""

from app.sandbox.addresses import is_address
from app.sandbox.context import Context, page_of
from app.sandbox.dialect import SandboxReply, document, group, leaves, result
from app.sandbox.errors import PlatformError
from app.sandbox.models import SenderMailbox
from app.sandbox.operations.domains import SYSTEM_DOMAIN, target
from app.sandbox.state import AccountState

DEFAULT_LIMIT = 30


def mailbox_list(context: Context) -> SandboxReply:
    """7.7: answer the mailboxes of one domain."""
    state, domain = target(context), context.required_query("domain").lower()
    if domain not in {SYSTEM_DOMAIN, *state.domains}:
        raise PlatformError("not_exist", "域名不存在")
    boxes = [box for box in state.mailboxes.values() if box.domain == domain]
    return document(group("mailbox_list", (_parts(state, box) for box in page_of(boxes, context, DEFAULT_LIMIT))))


def _parts(state: AccountState, box: SenderMailbox) -> str:
    facts = [("customer_id", state.customer_id), ("domain", box.domain), ("name", box.name), ("mailbox", box.address)]
    return group("data", [leaves(facts)])


def mailbox_add(context: Context) -> SandboxReply:
    """7.8: add a mailbox with its password to one of the domains."""
    state = target(context)
    address = context.required_query("mailbox").lower()
    if not is_address(address):
        raise PlatformError("mailbox_error")
    box = SenderMailbox(address, _password(context))
    if box.domain not in state.domains:
        raise PlatformError("not_exist", "域名不存在")
    if context.world.mailbox(address) is not None:
        raise PlatformError("mailbox_exist")
    state.mailboxes[address] = box
    return result("success", "添加账号成功")


def _password(context: Context) -> str:
    password = context.call.query.get("pwd", "")
    if not password:
        raise PlatformError("password_error")
    return password


def _mailbox(context: Context) -> tuple[AccountState, SenderMailbox]:
    state = target(context)
    box = state.mailboxes.get(context.required_query("mailbox").lower())
    if box is None:
        raise PlatformError("not_exist", "邮箱账号不存在")
    return state, box


def mailbox_del(context: Context) -> SandboxReply:
    """7.9: delete a mailbox."""
    state, box = _mailbox(context)
    del state.mailboxes[box.address]
    return result("success", "删除账号成功")


def mailbox_edit(context: Context) -> SandboxReply:
    """7.10: give a mailbox a new password."""
    _state, box = _mailbox(context)
    box.password = _password(context)
    return result("success", "修改账号成功")


OPERATIONS = {
    ("bs", "mailbox-list"): mailbox_list,
    ("bs", "mailbox-add"): mailbox_add,
    ("bs", "mailbox-del"): mailbox_del,
    ("bs", "mailbox-edit"): mailbox_edit,
}
