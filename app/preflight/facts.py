"""What the platform and the journal tell of a campaign to be, asked side by side."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from app.errors import GatewayError, NotFound
from app.gateway.context import Caller
from app.gateway.operation import Operation
from app.gateway.pages import Collection, Page, PageRequest
from app.policies.cache.model import Directives
from app.resources.account.operations import GET_SERVICE
from app.resources.account.schemas import Service
from app.resources.campaigns.creation import fingerprint
from app.resources.campaigns.operations import CREATE, FIND, FindCampaigns
from app.resources.campaigns.requests import NewCampaign
from app.resources.campaigns.schemas import Campaign
from app.resources.domains.operations import LIST as LIST_DOMAINS
from app.resources.domains.schemas import SendingDomain
from app.resources.lists.operations import GET as GET_LIST
from app.resources.lists.schemas import ContactList
from app.resources.mailboxes.operations import FIND as FIND_MAILBOXES
from app.resources.mailboxes.operations import FindMailboxes
from app.resources.mailboxes.schemas import Mailbox
from app.resources.statistics.operations import GET as GET_STATISTICS
from app.resources.statistics.schemas import CampaignStatistics
from app.resources.templates.operations import GET as GET_TEMPLATE
from app.resources.templates.operations import REVIEW
from app.resources.templates.schemas import Template, TemplateReview
from app.services import Services
from app.storage.writes import attempts

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_PAGE = 500
_MOST_MAILBOX_PAGES = 4
_HISTORY = 5
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What was told: a value, or that there is no such thing, or nothing, for a reason (an error's code)."""

    value: T | None = None
    missing: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks look at.

    Args:
        mailboxes: addresses of the sender's domain; None where it names none.
        rate: credits for one recipient, as the last finished campaigns cost; None where there were none.
        alike: ids of requests or campaigns that were the same a short while ago.
    """

    templates: list[Told[Template]]
    reviews: list[Told[TemplateReview]]
    contacts: Told[ContactList]
    domains: Told[list[SendingDomain]]
    mailboxes: Told[set[str]] | None
    service: Told[Service]
    rate: Told[float | None]
    created: Told[int]
    alike: Told[str | None]


class Enquiry:
    """Asks for a caller."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller

    async def about(self, campaign: NewCampaign, made: int | None = None) -> Facts:
        """Ask everything at once; what fails is told as unknown. `made` is the campaign itself, if it has been made."""
        ids = campaign.template_ids
        async with asyncio.TaskGroup() as all_:
            templates = all_.create_task(_each(ids, lambda each: _told(self._kept(GET_TEMPLATE, each, Template))))
            reviews = all_.create_task(_each(ids, lambda each: _told(self._afresh(REVIEW, each))))
            contacts = all_.create_task(_told(self._afresh(GET_LIST, campaign.list_id)))
            domains = all_.create_task(_told(self._domains()))
            mailboxes = all_.create_task(self._mailboxes(campaign))
            service = all_.create_task(_told(self._afresh(GET_SERVICE, None)))
            rate = all_.create_task(_told(self._rate()))
            created = all_.create_task(_told(self._created()))
            alike = all_.create_task(_told(self._alike(campaign, made)))
        return Facts(
            templates.result(),
            reviews.result(),
            contacts.result(),
            domains.result(),
            mailboxes.result(),
            service.result(),
            rate.result(),
            created.result(),
            alike.result(),
        )

    async def _afresh(self, operation: Operation[Any, T], request: Any) -> T:
        return await self._services.gateway.call(operation, request, self._caller)

    async def _kept(self, operation: Operation[Any, Any], request: Any, model: type[M]) -> M:
        reading = self._services.reading
        planned = reading.plan(operation, request, self._caller.tenant, lambda _: {})
        served = await reading.read(planned, self._caller, Directives())
        return model.model_validate_json(served.entry.body)

    async def _domains(self) -> list[SendingDomain]:
        return list((await self._kept(LIST_DOMAINS, None, Collection[SendingDomain])).data)

    async def _mailboxes(self, campaign: NewCampaign) -> Told[set[str]] | None:
        sender = campaign.sender
        domain = sender.domain if sender.type == "domain" else (sender.address or "").rpartition("@")[2]
        return await _told(self._addresses(domain.lower())) if domain else None

    async def _addresses(self, domain: str) -> set[str]:
        found: set[str] = set()
        for number in range(1, _MOST_MAILBOX_PAGES + 1):
            query = FindMailboxes(domain, PageRequest(page=number, page_size=_PAGE))
            page = await self._kept(FIND_MAILBOXES, query, Page[Mailbox])
            found |= {each.address.lower() for each in page.data if each.address}
            if not page.pagination.has_more:
                break
        return found

    async def _rate(self) -> float | None:
        query = FindCampaigns(PageRequest(page=1, page_size=_HISTORY), "sent")
        finished = (await self._kept(FIND, query, Page[Campaign])).data
        told = await _each(
            [each.id for each in finished], lambda each: _told(self._kept(GET_STATISTICS, each, CampaignStatistics))
        )
        rates = [
            each.value.credits / each.value.expected_count
            for each in told
            if each.value is not None and each.value.credits is not None and each.value.expected_count
        ]
        return median(rates) if rates else None

    async def _created(self) -> int:
        writes, tenant = self._services.writes, self._caller.tenant.id
        since = self._services.platform_clock.utc() - _HOUR
        return await writes.reading(partial(attempts.counting, tenant, CREATE.name, since))

    async def _alike(self, campaign: NewCampaign, made: int | None) -> str | None:
        writes, tenant = self._services.writes, self._caller.tenant.id
        since = self._services.platform_clock.utc() - self._services.send_limits.duplicate_window
        others = partial(attempts.alike, besides="" if made is None else str(made))
        found = await writes.reading(partial(others, tenant, CREATE.name, fingerprint(campaign), since))
        return None if found is None else found.reference or found.request_id


async def _told(asked: Coroutine[Any, Any, T]) -> Told[T]:
    try:
        return Told(await asked)
    except NotFound:
        return Told(missing=True)
    except GatewayError as error:
        return Told(reason=error.code)


async def _each(ids: list[int], ask: Callable[[int], Coroutine[Any, Any, Told[T]]]) -> list[Told[T]]:
    return list(await asyncio.gather(*(ask(each) for each in ids)))
