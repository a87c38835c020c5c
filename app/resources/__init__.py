"""The REST resources, a folder per noun: router, schemas, operations."""

from app.resources.account.router import router as account
from app.resources.campaigns.router import router as campaigns
from app.resources.console.router import router as console
from app.resources.contacts.router import router as contacts
from app.resources.contacts.router import subscriptions
from app.resources.domains.router import router as domains
from app.resources.events.router import router as events
from app.resources.events.webhooks import router as webhooks
from app.resources.imports.router import router as imports
from app.resources.lists.router import exports
from app.resources.lists.router import router as lists
from app.resources.mailboxes.router import router as mailboxes
from app.resources.messages.router import router as messages
from app.resources.reports.router import router as reports
from app.resources.statistics.router import failures
from app.resources.statistics.router import router as statistics
from app.resources.templates.router import router as templates
from app.resources.tracking.router import router as tracking

ROUTERS = (
    account,
    lists,
    contacts,
    imports,
    exports,
    subscriptions,
    templates,
    campaigns,
    statistics,
    failures,
    tracking,
    reports,
    domains,
    mailboxes,
    console,
    messages,
    events,
    webhooks,
)
"""Every resource's router, in the order the documentation shows them."""
