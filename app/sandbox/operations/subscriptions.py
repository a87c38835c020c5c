"""Chapter 4, subscribing and unsubscribing: 4.13 and 4.14."""

import re

from app.sandbox.addresses import is_address
from app.sandbox.context import Context, find
from app.sandbox.dialect import SandboxReply, result
from app.sandbox.errors import PlatformError
from app.sandbox.models import ContactFields, Tally

_RECORDS = re.compile("[;；\r\n]+")
_CELLS = re.compile("[,，\t]")
_ADDRESSES = re.compile("[,，;；\r\n]+")


def ml_sub(context: Context) -> SandboxReply:
    """4.13: subscribe one (``address``, ``name``) or several (``maillist``, in either text format)."""
    item = find(context.state.lists, context.required("list_id"))
    records = _RECORDS.split(context.text("maillist")) if context.has("maillist") else [_single(context)]
    tally = Tally()
    for cells in (_CELLS.split(record) for record in records if record.strip()):
        address = cells[0].strip().lower()
        tally.total += 1
        if not is_address(address):
            tally.invalid += 1
            continue
        # The manual: without a name the part before the @ is taken.
        name = "".join(cells[1:2]).strip() or address.partition("@")[0]
        fields = ContactFields(address=address, fullname=name)
        tally.duplicate += not context.state.put_contact(item.id, fields, context.now)[1]
        item.unsubscribed.pop(address, None)
    if tally.invalid == tally.total:
        raise PlatformError("address_error")
    return result("success", f"成功订阅{tally.added}个地址，无效地址{tally.invalid}个，重复地址{tally.duplicate}个")


def _single(context: Context) -> str:
    return f"{context.required('address')}\t{context.text('name')}"


def ml_unsub(context: Context) -> SandboxReply:
    """4.14: take the addresses, separated by commas or lines, out of the list and remember when they left."""
    item = find(context.state.lists, context.required("list_id"))
    addresses = [text.strip().lower() for text in _ADDRESSES.split(context.required("address")) if text.strip()]
    left = 0
    for address in addresses:
        contact = context.state.find_contact(item.id, address)
        if contact is not None:
            context.state.remove_contact(contact)
            item.unsubscribed[address] = context.now
            left += 1
    if left == 0:
        raise PlatformError("not_exist", "订阅列表中不存在此地址")
    return result("success", f"成功退订{left}个地址")


OPERATIONS = {("mloperate", "ml-sub"): ml_sub, ("mloperate", "ml-unsub"): ml_unsub}
