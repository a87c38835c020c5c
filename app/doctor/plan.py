"""Which reads there are, in an order in which the earlier ones tell what the later ones are asked with."""

from collections.abc import Collection, Sequence

from app.doctor.findings import UnknownOperation
from app.gateway import identifiers
from app.gateway.checks import AnyCheck, Check
from app.resources.account import operations as account
from app.resources.campaigns import operations as campaigns
from app.resources.contacts import operations as contacts
from app.resources.domains import operations as domains
from app.resources.imports import operations as imports
from app.resources.lists import operations as lists
from app.resources.mailboxes import operations as mailboxes
from app.resources.statistics import operations as statistics
from app.resources.templates import operations as templates
from app.resources.tracking import operations as tracking

PLAN: tuple[AnyCheck, ...] = (
    *account.CHECKS,
    *lists.CHECKS,
    *contacts.CHECKS,
    *lists.EXPORT_CHECKS,
    *imports.CHECKS,
    *templates.CHECKS,
    *campaigns.CHECKS,
    *statistics.CHECKS,
    *statistics.FAILURE_CHECKS,
    *identifiers.CHECKS,
    *tracking.CHECKS,
    *domains.CHECKS,
    *mailboxes.CHECKS,
)


def choose(names: Collection[str]) -> Sequence[AnyCheck]:
    """Return the checks of some operations, and before them those that tell what these are asked with.

    Raises:
        UnknownOperation: no check has such a name.
    """
    known = {check.operation.name for check in PLAN}
    for name in names:
        if name not in known:
            raise UnknownOperation(f"There is no read {name}; there are {', '.join(sorted(known))}.")
    if not names:
        return PLAN
    wanted = {check.operation.name for check in PLAN if check.operation.name in names}
    needed = {check.by for check in PLAN if check.operation.name in wanted}
    for check in reversed(PLAN):
        if isinstance(check, Check) and needed.intersection(check.tells):
            wanted.add(check.operation.name)
            needed.add(check.by)
    return [check for check in PLAN if check.operation.name in wanted]
