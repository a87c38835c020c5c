"""The platform's operations, one small function each, and the table that finds them."""

from collections.abc import Mapping
from types import MappingProxyType

from app.sandbox.context import Operation
from app.sandbox.operations import (
    campaigns,
    contacts,
    domains,
    lists,
    statistics,
    templates,
    tracking,
)

LOGIN = "login"

OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        **statistics.ACCOUNT_OPERATIONS,
        **campaigns.OPERATIONS,
        **contacts.CONTACTS_OPERATIONS,
        **domains.DOMAINS_OPERATIONS,
        **tracking.FAILURES_OPERATIONS,
        **contacts.IMPORTS_OPERATIONS,
        **lists.OPERATIONS,
        **domains.MAILBOXES_OPERATIONS,
        **statistics.STATISTICS_OPERATIONS,
        **contacts.SUBSCRIPTIONS_OPERATIONS,
        **templates.OPERATIONS,
        **tracking.TRACKING_OPERATIONS,
    }
)
"""Script (without ``.php``) and ``do`` (empty where a script has none) to the operation."""

NAMES = frozenset(do or script for script, do in OPERATIONS) | {LOGIN}
"""Every operation name that a fault or a recorded call may carry."""
