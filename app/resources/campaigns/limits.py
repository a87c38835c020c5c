"""What guards the creation of campaigns, and what creates them within it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from app.resources.campaigns.creation import CampaignCreator


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    """Guards of new campaigns, each a setting.

    Args:
        duplicate_window: for how long an equal campaign counts as a repetition by mistake; zero for never.
        lookup_seconds: for how long a campaign whose creation went unanswered is looked for.
    """

    duplicate_window: timedelta
    lookup_seconds: float


async def creator(request: Request) -> CampaignCreator:
    """Return what creates campaigns."""
    state = request.app.state
    limits: SendLimits = state.send_limits
    return CampaignCreator(
        state.gateway,
        state.sends,
        state.platform_clock,
        duplicate_window=limits.duplicate_window,
        lookup_seconds=limits.lookup_seconds,
    )


CreatorDep = Annotated[CampaignCreator, Depends(creator)]
