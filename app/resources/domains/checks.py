"""How the reads of sending domains are tried out."""

from app.api.pagination import Collection
from app.gateway.checks import DOMAIN, NOTHING, Check, same
from app.resources.domains.operations import LIST
from app.resources.domains.schemas import SendingDomain


def _own_first(domains: Collection[SendingDomain]) -> list[str]:
    ordered = sorted(domains.data, key=lambda each: bool(each.is_system))
    return [each.domain for each in ordered if each.domain]


CHECKS = (Check(operation=LIST, by=NOTHING, ask=same, path="/v1/domains", tells={DOMAIN: _own_first}),)
