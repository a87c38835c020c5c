"""How the reads of mailboxes are tried out."""

from app.api.pagination import PageRequest
from app.gateway.checks import DOMAIN, Check
from app.resources.mailboxes.operations import FIND, FindMailboxes

_AT_ONCE = 20


def _find(domain: str) -> FindMailboxes:
    return FindMailboxes(domain, PageRequest(page_size=_AT_ONCE))


CHECKS = (Check(operation=FIND, by=DOMAIN, ask=_find, path=f"/v1/domains/{{}}/mailboxes?page_size={_AT_ONCE}"),)
