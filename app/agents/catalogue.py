"""Every tool, in the order in which agents see them."""

from typing import Any

from app.agents.campaigns import CAMPAIGNS
from app.agents.contents import CONTENTS
from app.agents.diagnosis import DIAGNOSIS
from app.agents.lookups import LOOKUPS
from app.agents.messages import MESSAGES
from app.agents.outcomes import OUTCOMES
from app.agents.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*LOOKUPS, *CONTENTS, *CAMPAIGNS, *OUTCOMES, *DIAGNOSIS, *MESSAGES)
