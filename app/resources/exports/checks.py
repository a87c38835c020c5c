"""How a list's exports are tried out."""

from app.gateway.checks import LIST_ID, ExportCheck, same
from app.resources.exports.operations import CONTACTS, UNSUBSCRIBES

CHECKS = (
    ExportCheck(operation=CONTACTS, by=LIST_ID, ask=same, path="/v1/lists/{}/contacts/export"),
    ExportCheck(operation=UNSUBSCRIBES, by=LIST_ID, ask=same, path="/v1/lists/{}/unsubscribes/export"),
)
