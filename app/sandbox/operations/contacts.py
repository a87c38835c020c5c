"""Chapter 4, addresses: 4.8 to 4.11 without the file import."""

from app.sandbox.addresses import is_address
from app.sandbox.context import Context, find, page_of, read_number
from app.sandbox.dialect import SandboxReply, cdata, document, group, leaf, leaves, result
from app.sandbox.errors import PlatformError
from app.sandbox.lines import VARIABLE_COUNT, read_birthday, read_sex
from app.sandbox.models import Contact, ContactFields
from app.sandbox.times import stamp

DEFAULT_LIMIT = 50


def ml_addr_list(context: Context) -> SandboxReply:
    """4.8: answer addresses of one list, of none (``list_id=0``) or of all; ``list_id`` counts in the URL only."""
    contacts = [contact for contact in context.state.contacts.values() if _wanted(context, contact)]
    return document(
        group(
            "data",
            [
                leaf("total_num", len(contacts)),
                *(group("addr", [_parts(contact)]) for contact in page_of(contacts, context, DEFAULT_LIMIT)),
            ],
        )
    )


def _wanted(context: Context, contact: Contact) -> bool:
    list_id, address_id = context.query("list_id"), context.query_number("address_id", 0)
    if list_id and contact.list_id != read_number(list_id, 0):
        return False
    if address_id > 0 and contact.id != address_id:
        return False
    keyword = context.text("keyword").lower()
    return keyword in contact.address or keyword in contact.fullname.lower()


def _parts(contact: Contact) -> str:
    return "".join(
        [
            leaf("id", contact.id),
            leaf("list_id", contact.list_id),
            cdata("address", contact.address),
            leaf("brithday", contact.birthday),
            leaf("phone", contact.phone),
            cdata("area", contact.area),
            cdata("fullname", contact.fullname),
            leaf("sex", contact.sex),
            leaf("time", stamp(contact.time)),
            leaves((f"var{number}", contact.variables.get(number, "")) for number in range(1, VARIABLE_COUNT + 1)),
        ]
    )


def ml_addr_add(context: Context) -> SandboxReply:
    """4.9.1 and 4.9.2: add one address, or the lines of the POST parameter ``ml_addr``."""
    list_id = find(context.state.lists, context.required("list_id")).id
    if "ml_addr" in context.call.form:
        return _add_lines(context, list_id)
    fields = _fields(context, context.required("address"))
    contact, _created = context.state.put_contact(list_id, fields, context.now)
    return result("success", contact.id if context.text("return_id").strip() == "1" else "添加成功")


def _add_lines(context: Context, list_id: int) -> SandboxReply:
    separator = context.text("separate") or "\n"
    tally = context.state.put_lines(list_id, context.form("ml_addr").split(separator), context.now)
    if tally.total == 0:
        raise PlatformError("param_error", "ml_addr 中没有地址信息")
    return result("success", f"成功添加{tally.added}个地址，无效地址{tally.invalid}个，重复地址{tally.duplicate}个")


def _fields(context: Context, address: str) -> ContactFields:
    address = address.strip().lower()
    if not is_address(address):
        raise PlatformError("address_error")
    return ContactFields(
        address=address,
        fullname=context.text("fullname") if context.has("fullname") else None,
        sex="" if context.has("sex") and not context.text("sex").strip() else read_sex(context.text("sex").strip()),
        birthday=read_birthday(context.text("birthday").strip()),
        phone=context.text("phone") if context.has("phone") else None,
        area=context.text("area") if context.has("area") else None,
        variables={
            number: context.text(f"var{number}")
            for number in range(1, VARIABLE_COUNT + 1)
            if context.has(f"var{number}")
        },
    )


def ml_addr_edit(context: Context) -> SandboxReply:
    """4.10: change the given fields of an address; moving it onto another address of its list is refused."""
    contact = find(context.state.contacts, context.required("id"))
    fields = _fields(context, context.text("address").strip() or contact.address)
    if context.state.find_contact(contact.list_id, fields.address) not in (None, contact):
        raise PlatformError("address_exist")
    context.state.change_contact(contact, fields)
    return result("success", "修改成功")


def ml_addr_del(context: Context) -> SandboxReply:
    """4.11: delete an address."""
    context.state.remove_contact(find(context.state.contacts, context.required("id")))
    return result("success", "删除成功")


OPERATIONS = {
    ("mloperate", "ml-addr-list"): ml_addr_list,
    ("mloperate", "ml-addr-add"): ml_addr_add,
    ("mloperate", "ml-addr-edit"): ml_addr_edit,
    ("mloperate", "ml-addr-del"): ml_addr_del,
}
