"""Chapter 7: sending domains and their mailboxes, for the caller or, as a manager, for a customer."""

from app.sandbox.context import Context, page_of
from app.sandbox.dialect import PlatformError, SandboxReply, document, group, leaves, result
from app.sandbox.lines import dns_configured, is_address, is_domain
from app.sandbox.models import Domain, SenderMailbox
from app.sandbox.state import AccountState

SYSTEM_DOMAIN = "system-mail.example"
_INFO = ("系统不存在并验证不通过", "系统不存在但验证通过", "添加成功但验证不通过", "添加成功并验证通过")


def target(context: Context) -> AccountState:
    """Answer whose domains are meant: the caller's own, or with ``user_type=manager`` those of ``customer_id``."""
    if context.query("user_type") in ("", "customer"):
        return context.state
    return managed(context)


def managed(context: Context) -> AccountState:
    """Answer the customer that a manager's call names; nobody else may."""
    if context.state.account.role != "manager":
        raise PlatformError("no_permission")
    context.required_query("customer_id")
    state = context.world.customer(context.query_number("customer_id", 0))
    if state is None:
        raise PlatformError("customer_not_exist")
    return state


def domain_list(context: Context) -> SandboxReply:
    """7.1: answer the domains, the platform's own (customer 0) included."""
    state = target(context)
    owned = [(0, SYSTEM_DOMAIN), *((state.customer_id, name) for name in state.domains)]
    return document(
        group(
            "domain_list",
            (group("data", [leaves([("customer_id", number), ("domain", name)])]) for number, name in owned),
        )
    )


def customer_domain_add(context: Context) -> SandboxReply:
    """7.2: add a domain to the caller's own; the status tells whether its DNS records pass."""
    return _add(context, context.state)


def domain_add(context: Context) -> SandboxReply:
    """7.4: a manager adds a domain to a customer's."""
    return _add(context, managed(context))


def _add(context: Context, state: AccountState) -> SandboxReply:
    name = context.required_query("domain").lower()
    if not is_domain(name):
        raise PlatformError("domain_error")
    if name in state.domains:
        raise PlatformError("domain_exist")
    domain = Domain(context.state.ids.take("domain"), name, context.now, dns_configured(name))
    state.domains[name] = domain
    return result("success_and_check_ok" if domain.verified else "success", domain.id)


def domain_check(context: Context) -> SandboxReply:
    """7.3: check the DNS records of the domains in the POST parameter ``domains``."""
    names = [name.strip().lower() for name in context.form("domains").split(",") if name.strip()]
    if not names:
        raise PlatformError("param_error")
    return document(group("domain_list", (group("domain", [_checked(context, name)]) for name in names)))


def _checked(context: Context, name: str) -> str:
    state = context.state
    domain = state.domains.get(name)
    if domain is not None:
        old_enough = context.now >= domain.added + state.pace.check
        domain.verified = domain.verified or dns_configured(name, soon=old_enough)
    passed = dns_configured(name) if domain is None else domain.verified
    status = 2 * (domain is not None) + passed
    return leaves(
        [
            ("customer_id", state.customer_id),
            ("domain_id", 0 if domain is None else domain.id),
            ("val", name),
            ("status", status),
            ("info", _INFO[status]),
        ]
    )


def customer_domain_del(context: Context) -> SandboxReply:
    """7.6: delete one of the caller's own domains; a verified one stays."""
    return _delete(context, context.state)


def domain_del(context: Context) -> SandboxReply:
    """7.5: a manager deletes a customer's domain; a verified one stays."""
    return _delete(context, managed(context))


def _delete(context: Context, state: AccountState) -> SandboxReply:
    name = context.required_query("domain").lower()
    domain = state.domains.get(name)
    if domain is None:
        raise PlatformError("not_exist")
    if domain.verified:
        raise PlatformError("domain_verified")
    del state.domains[name]
    state.mailboxes = {address: box for address, box in state.mailboxes.items() if box.domain != name}
    return result("success", "删除域名成功")


DOMAINS_OPERATIONS = {
    ("bs", "domain-list"): domain_list,
    ("bs", "customer-domain-add"): customer_domain_add,
    ("bs", "domain-check"): domain_check,
    ("bs", "domain-add"): domain_add,
    ("bs", "domain-del"): domain_del,
    ("bs", "customer-domain-del"): customer_domain_del,
}


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
    state, box = _mailbox(context)
    del state.mailboxes[box.address]
    return result("success", "删除账号成功")


def mailbox_edit(context: Context) -> SandboxReply:
    """7.10: give a mailbox a new password."""
    _state, box = _mailbox(context)
    box.password = _password(context)
    return result("success", "修改账号成功")


MAILBOXES_OPERATIONS = {
    ("bs", "mailbox-list"): mailbox_list,
    ("bs", "mailbox-add"): mailbox_add,
    ("bs", "mailbox-del"): mailbox_del,
    ("bs", "mailbox-edit"): mailbox_edit,
}
