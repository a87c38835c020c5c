"""Chapter 1: who the account is and what it may still send."""

from datetime import timedelta

from app.sandbox.context import Context
from app.sandbox.dialect import SandboxReply, document, group, leaf, leaves, padded
from app.sandbox.metrics import credits_used
from app.sandbox.times import local_date


def customer_info(context: Context) -> SandboxReply:
    """1.1: answer the account's profile."""
    profile = context.state.profile
    names = ("company", "contact", "phone", "mobile", "email", "im", "address")
    return document(
        group(
            "customer",
            [
                leaf("id", context.state.customer_id),
                padded("username", context.state.account.username),
                leaves((name, getattr(profile, name)) for name in names),
            ],
        )
    )


def service_info(context: Context) -> SandboxReply:
    """1.2: answer the account's contract and quota."""
    today = local_date(context.now)
    profile = context.state.profile
    return document(
        group(
            "service",
            [
                leaf("id", context.state.customer_id),
                padded("service_status", profile.status),
                leaf("service_type", "all"),
                leaf("send_type", "local"),
                leaf("beginning_date", today - timedelta(days=200)),
                leaf("expiration_date", today + timedelta(days=profile.days_left)),
                leaf("qty_available", profile.bought - credits_used(context.state, context.now)),
                leaf("qty_buytotal", profile.bought),
            ],
        )
    )


OPERATIONS = {("account", "customer-info"): customer_info, ("account", "service-info"): service_info}
