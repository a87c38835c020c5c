"""How the resolution of a campaign's ids is tried out."""

from app.gateway.checks import CAMPAIGN_ID, Check, same
from app.gateway.identifiers.operations import RESOLVE

CHECKS = (Check(operation=RESOLVE, by=CAMPAIGN_ID, ask=same, path=None),)
