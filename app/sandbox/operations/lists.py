"""Chapter 4, lists: 4.1 to 4.7 and 4.12."""

from app.sandbox.context import Context, find
from app.sandbox.dialect import PlatformError, SandboxReply, cdata, document, group, leaf, padded, plain_text, result
from app.sandbox.models import ContactList
from app.sandbox.state import SENDING
from app.sandbox.times import stamp

STATUSES = ("enabled", "disabled")
MAX_DESCRIPTION = 255
# The vendor's own word filter put a macron over the i; callers use either spelling.
DESCRIPTION_NAMES = ("description", "descrīption")


def maillist_list(context: Context) -> SandboxReply:
    """4.1: answer all lists, with the description as the manual spells it."""
    sizes = context.state.list_sizes()
    return document(
        group("maillist", (group("item", _parts(item, sizes[item.id], 1)) for item in context.state.lists.values()))
    )


def maillist_detail(context: Context) -> SandboxReply:
    """4.2: answer one list, with the description as the live service spells it."""
    item = find(context.state.lists, context.required_query("id"))
    return document(group("maillist", _parts(item, context.state.list_sizes()[item.id], 0)))


def _parts(item: ContactList, size: int, spelling: int) -> list[str]:
    return [
        leaf("id", item.id),
        cdata("subject", item.subject),
        leaf(DESCRIPTION_NAMES[spelling], item.description),
        padded("count", size),
        leaf("status", item.status),
    ]


def maillist_add(context: Context) -> SandboxReply:
    """4.3: make a list of the POST parameters; ``data`` is its id."""
    subject, status = context.form("subject").strip(), context.form("status").strip()
    if not subject or status not in STATUSES:
        raise PlatformError("add_maillist_error")
    description = _description(context, "add_describe_error")
    item = ContactList(context.state.ids.take("list"), subject, description, status)
    context.state.lists[item.id] = item
    return result("success", item.id)


def _description(context: Context, code: str) -> str:
    text = context.form(*DESCRIPTION_NAMES)
    if len(text) > MAX_DESCRIPTION:
        raise PlatformError(code)
    return text


def maillist_edit(context: Context) -> SandboxReply:
    """4.4: change the fields given by POST of the list named in the URL."""
    item = find(context.state.lists, context.required_query("id"))
    status = context.form("status").strip()
    if status and status not in STATUSES:
        raise PlatformError("update_maillist_error")
    description = _description(context, "update_describe_error")
    item.status = status or item.status
    item.subject = context.form("subject").strip() or item.subject
    if any(context.has(name) for name in DESCRIPTION_NAMES):
        item.description = description
    return result("success", "修改联系人分类成功")


def maillist_del(context: Context) -> SandboxReply:
    """4.5: delete a list together with its addresses, unless it is being sent to."""
    item = find(context.state.lists, context.required_query("id"))
    if any(
        campaign.status == SENDING and item.id in campaign.list_ids for campaign in context.state.campaigns.values()
    ):
        raise PlatformError("delete_maillist_error")
    context.state.empty_list(item.id)
    del context.state.lists[item.id]
    return result("success", "删除联系人分类成功")


def ml_addr_empty(context: Context) -> SandboxReply:
    """4.12: delete a list's addresses and keep the list."""
    item = find(context.state.lists, context.required_query("list_id"))
    return result("success", f"清空成功，共删除{context.state.empty_list(item.id)}个地址")


def subscription_export(context: Context) -> SandboxReply:
    """4.6: answer a list as lines ``address TAB name``."""
    item = find(context.state.lists, context.required_query("id"))
    return plain_text(f"{contact.address}\t{contact.fullname}" for contact in context.state.contacts_of(item.id))


def unsubscribe_export(context: Context) -> SandboxReply:
    """4.7: answer who left a list as lines ``time TAB address``."""
    item = find(context.state.lists, context.required_query("id"))
    return plain_text(f"{stamp(moment)}\t{address}" for address, moment in item.unsubscribed.items())


OPERATIONS = {
    ("mloperate", "maillist-list"): maillist_list,
    ("mloperate", "maillist-detail"): maillist_detail,
    ("mloperate", "maillist-add"): maillist_add,
    ("mloperate", "maillist-edit"): maillist_edit,
    ("mloperate", "maillist-del"): maillist_del,
    ("mloperate", "ml-addr-empty"): ml_addr_empty,
    ("mloperate", "subscription-export"): subscription_export,
    ("mloperate", "unsubscribe-export"): unsubscribe_export,
}
