"""How the account's reads are tried out."""

from app.gateway.checks import NOTHING, Check, same
from app.resources.account.operations import GET_ACCOUNT, GET_SERVICE

CHECKS = (
    Check(operation=GET_ACCOUNT, by=NOTHING, ask=same, path="/v1/account"),
    Check(operation=GET_SERVICE, by=NOTHING, ask=same, path="/v1/account/service"),
)
