"""The platform's operations, one small function each, and the table that finds them."""

from collections.abc import Mapping
from types import MappingProxyType

from app.sandbox.context import Operation
from app.sandbox.operations import (
    account,
    campaigns,
    contacts,
    domains,
    failures,
    imports,
    lists,
    mailboxes,
    statistics,
    subscriptions,
    templates,
    tracking,
)

LOGIN = "login"

OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        **account.OPERATIONS,
        **campaigns.OPERATIONS,
        **contacts.OPERATIONS,
        **domains.OPERATIONS,
        **failures.OPERATIONS,
        **imports.OPERATIONS,
        **lists.OPERATIONS,
        **mailboxes.OPERATIONS,
        **statistics.OPERATIONS,
        **subscriptions.OPERATIONS,
        **templates.OPERATIONS,
        **tracking.OPERATIONS,
    }
)
"""Script (without ``.php``) and ``do`` (empty where a script has none) to the operation."""

NAMES = frozenset(do or script for script, do in OPERATIONS) | {LOGIN}
"""Every operation name that a fault or a recorded call may carry."""
