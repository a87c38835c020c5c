"""From a campaign's id or batch number to the ids that exports take (manual 3.1).

The manual calls three numbers "task id": the campaign's own (`send_id`), the statistics id (`task_id`) and the tracking
id (`track_id`). Only the overview tells the other two.
"""

from dataclasses import dataclass

from app.errors import NotFound
from app.gateway.call import Gateway
from app.gateway.checks import CAMPAIGN_ID, Check, same
from app.gateway.context import Caller
from app.gateway.operation import Effect, Operation
from app.texts import sentence
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.values import identifier

CampaignKey = int | str
"""A campaign's id, or its batch number."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What the overview tells of a campaign; None where it says nothing or 0."""

    track_id: int | None
    statistics_id: int | None


def key_query(campaign: CampaignKey) -> dict[str, str]:
    """Return the parameter by which the operations of chapters 2 and 3 find a campaign."""
    return {"id": str(campaign)} if isinstance(campaign, int) else {"ident": campaign}


def _describe(campaign: CampaignKey) -> str:
    return f"campaign {campaign}" if isinstance(campaign, int) else f"batch {campaign}"


def no_statistics(campaign: CampaignKey) -> NotFound:
    """Return the error for a campaign of which the platform shows no statistics."""
    return NotFound(
        sentence(
            "There are no statistics of {value}: it does not exist or has not been sent yet.", value=_describe(campaign)
        )
    )


def no_tracking(campaign: CampaignKey) -> NotFound:
    """Return the error for a campaign of which the platform shows no tracking."""
    return NotFound(
        sentence(
            "There is no tracking for {value}: it does not exist, was not tracked or has not been sent yet.",
            value=_describe(campaign),
        )
    )


_TOLD = frozenset(
    [
        "track_id",
        "task_id",
        "task_sn",
        "send_id",
        "send_count",
        "real_send_count",
        "error_send_count",
        "open_unique",
        "open_total",
        "open_first",
        "open_last",
        "open_ratio",
        "click_unique",
        "click_total",
        "click_first",
        "click_last",
        "click_ratio",
        "link_statistic",
    ]
)


def _encode(campaign: CampaignKey) -> Parameters:
    return Parameters(query=key_query(campaign))


def _identifiers(document: Document, campaign: CampaignKey) -> Identifiers:
    document.expect(_TOLD)
    found = Identifiers(
        track_id=document.leaf("track_id", identifier), statistics_id=document.leaf("task_id", identifier)
    )
    if any(drift.kind is DriftKind.UNREADABLE_VALUE for drift in document.drift):
        raise UnexpectedForm("an overview whose ids cannot be read")
    if isinstance(campaign, int) and document.leaf("send_id", identifier) not in {None, campaign}:
        raise UnexpectedForm("the overview of another campaign")
    return found


RESOLVE = Operation(
    name="identifiers.resolve",
    section="3.1",
    script="track.php",
    do="overview",
    root="track",
    encode=_encode,
    decode=_identifiers,
    effect=Effect.READ,
    tags=frozenset({"campaigns", "tracking"}),
)


async def find_statistics_id(gateway: Gateway, campaign: CampaignKey, caller: Caller) -> int:
    """Return a campaign's statistics id; NotFound where the platform shows none."""
    found = await gateway.call(RESOLVE, campaign, caller)
    if found.statistics_id is None:
        raise no_statistics(campaign)
    return found.statistics_id


async def find_track_id(gateway: Gateway, campaign: CampaignKey, caller: Caller) -> int:
    """Return a campaign's tracking id; NotFound where the platform shows none."""
    found = await gateway.call(RESOLVE, campaign, caller)
    if found.track_id is None:
        raise no_tracking(campaign)
    return found.track_id


CHECKS = (Check(operation=RESOLVE, by=CAMPAIGN_ID, ask=same, path=None),)
