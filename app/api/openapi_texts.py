"""What the OpenAPI documents say beside their operations."""

from collections.abc import Mapping

TITLE = "U-Mail Gateway"

_TASKS = {
    "Check the account": {"Quota": "get_account_service", "credits": "list_credit_statistics"},
    "Keep contacts": {
        "Create a list": "create_contact_list",
        "add a contact": "add_contact",
        "import many": "create_import",
        "export a list": "export_contacts",
    },
    "Prepare a message": {"Create a template": "create_template", "read its review": "get_template_review"},
    "Send a campaign": {
        "Create it": "create_campaign",
        "change or release it": "edit_campaign",
        "watch it": "get_campaign",
    },
    "Read the results": {
        "Statistics": "get_campaign_statistics",
        "opens and clicks": "get_campaign_tracking",
        "delivery failures": "list_delivery_failures",
    },
    "Send one message": {"Send it": "submit_message"},
    "Set up senders": {"Add a domain": "add_domain", "verify it": "verify_domains", "add a mailbox": "add_mailbox"},
}
"""What people come for, and the operations that do it."""


def _task(name: str, steps: Mapping[str, str]) -> str:
    return f"| {name} | {', '.join(f'[{step}](#operation/{operation})' for step, operation in steps.items())} |"


DESCRIPTION = """
A typed JSON API in front of the U-Mail e-mail marketing platform. Press **Authorize** and paste your API key: it
decides whose U-Mail account is used. Programs send it as `Authorization: Bearer <key>` or as `X-API-Key: <key>`.

| Task | Operations |
| --- | --- |
{tasks}

Times are RFC 3339 with an offset, ids are 64-bit integers. An `Idempotency-Key` makes repeating a write safe. Errors
are problem documents (RFC 9457); the [table of errors](errors) explains every `code`.
""".format(tasks="\n".join(_task(*each) for each in _TASKS.items()))

OPERATORS_DESCRIPTION = """
Authorize with the operators' token, as `Authorization: Bearer <token>`. These operations manage tenants, keys and what
the gateway keeps; an API key opens none of them.
"""

TAGS = [
    {"name": "Account", "description": "The tenant's own U-Mail account: who it is and what it may send."},
    {"name": "Contact lists", "description": "Lists that contacts are kept in and campaigns are sent to."},
    {"name": "Contacts", "description": "The people on the lists."},
    {"name": "Imports", "description": "Any number of contacts at once, worked off later by the platform."},
    {"name": "Exports", "description": "A whole list at once: who is on it and who left it."},
    {"name": "Subscriptions", "description": "People who join a list or leave it."},
    {"name": "Templates", "description": "Messages to send, their attachments, and the platform's review of them."},
    {"name": "Campaigns", "description": "Mailings: what is sent to whom and when. The platform calls them tasks."},
    {"name": "Statistics", "description": "What was sent, what became of it and what it cost."},
    {"name": "Delivery failures", "description": "Addresses that did not get their message, and why."},
    {"name": "Tracking", "description": "Who opened and clicked, by the campaign's id or its batch number."},
    {"name": "Reports", "description": "What came of a campaign, in one answer: as data, as a page, as a table."},
    {
        "name": "Domains",
        "description": "Domains that campaigns are sent from, and whether their DNS records are right.",
    },
    {"name": "Mailboxes", "description": "Sender mailboxes of those domains, with the logins of the SMTP relay."},
    {"name": "Console login", "description": "The login form of the platform's own web console."},
    {"name": "Messages", "description": "Single messages to a few people, by way of the tenant's SMTP relay."},
    {"name": "Events", "description": "What has happened in the account, to be read or streamed."},
    {"name": "Webhooks", "description": "Receivers that events are delivered to, signed."},
    {"name": "Administration", "description": "For the gateway's operators, under a credential of their own."},
    {"name": "Service", "description": "The gateway itself."},
]
