"""How the reads of imports are tried out."""

from app.gateway.checks import IMPORT_ID, NOTHING, Check, same
from app.resources.imports.operations import GET, LIST

CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/imports"),
    Check(operation=GET, by=IMPORT_ID, ask=same, path="/v1/imports/{}"),
)
