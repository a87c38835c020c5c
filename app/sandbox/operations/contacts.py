"""Chapter 4: contacts, their imports and subscriptions."""

import re

from app.sandbox.context import Context, find, page_of, read_number
from app.sandbox.dialect import PlatformError, SandboxReply, cdata, document, group, leaf, leaves, padded, result
from app.sandbox.lines import VARIABLE_COUNT, is_address, read_birthday, read_sex
from app.sandbox.models import Contact, ContactFields, FileImport, ImportTally
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


CONTACTS_OPERATIONS = {
    ("mloperate", "ml-addr-list"): ml_addr_list,
    ("mloperate", "ml-addr-add"): ml_addr_add,
    ("mloperate", "ml-addr-edit"): ml_addr_edit,
    ("mloperate", "ml-addr-del"): ml_addr_del,
}


def ml_addr_add_file(context: Context) -> SandboxReply:
    """4.9.3: take a file for later; ``data`` is the number to ask with."""
    item = find(context.state.lists, context.required("list_id"))
    files = context.files()
    if not files or not files[0].content:
        raise PlatformError("file_error")
    number = context.state.ids.take("import")
    job = FileImport(number, item.id, item.subject, files[0].filename, files[0].content, context.now)
    context.state.imports[number] = job
    return result("success", number, stray=True)


def ml_addr_add_file_query(context: Context) -> SandboxReply:
    """4.9.4: tell whether a file has been worked off; the second question finds it done, however fast it comes."""
    try:
        job = context.state.imports.get(read_number(context.query("id"), 0))
    except PlatformError:
        return result("error", "参数错误", stray=True)
    if not context.query("id"):
        return result("error", "参数错误", stray=True)
    if job is None:
        return result("not_exist", "不存在id", stray=True)
    if job.status == 0 and job.queried:
        context.state.finish_import(job, context.now)
    job.queried = True
    if job.status == 0:
        return result("no_complete", "正在解析", stray=True)
    return result("success", "解析完成", stray=True)


def ml_addr_add_log(context: Context) -> SandboxReply:
    """4.15: answer all imports, newest first."""
    jobs = sorted(context.state.imports.values(), key=lambda job: job.id, reverse=True)
    log = group("data", (group("address_log", [_import_parts(job)]) for job in jobs))
    return document(group("result", [padded("status", "success"), log]))


def _import_parts(job: FileImport) -> str:
    return "".join(
        [
            cdata("filename", job.filename),
            leaf("filepath", f"/usr/local/umail/data/web/mm-ms/cache/{int(job.time.timestamp())}_{job.id}.csv"),
            leaf("time_import", stamp(job.time)),
            leaf("count_all", job.tally.total),
            leaf("count_err_1", job.tally.invalid),
            leaf("count_err_2", job.tally.duplicate),
            leaf("status", job.status),
            cdata("subject", job.list_name),
        ]
    )


IMPORTS_OPERATIONS = {
    ("mloperate", "ml-addr-add-file"): ml_addr_add_file,
    ("mloperate", "ml-addr-add-file-query"): ml_addr_add_file_query,
    ("mloperate", "ml-addr-add-log"): ml_addr_add_log,
}


_RECORDS = re.compile("[;；\r\n]+")
_CELLS = re.compile("[,，\t]")
_ADDRESSES = re.compile("[,，;；\r\n]+")


def ml_sub(context: Context) -> SandboxReply:
    """4.13: subscribe one (``address``, ``name``) or several (``maillist``, in either text format)."""
    item = find(context.state.lists, context.required("list_id"))
    records = _RECORDS.split(context.text("maillist")) if context.has("maillist") else [_single(context)]
    tally = ImportTally()
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


SUBSCRIPTIONS_OPERATIONS = {("mloperate", "ml-sub"): ml_sub, ("mloperate", "ml-unsub"): ml_unsub}
