"""What is checked of a campaign before it is created; what cannot be told is `unknown`, never `pass`."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.preflight.facts import Facts
from app.preflight.outcomes import Outcome, by_facts, is_status, listed, unknown
from app.preflight.schemas import Code
from app.resources.campaigns.requests import NewCampaign
from app.texts import sentence

_A_MINUTE = timedelta(minutes=1)
_UNSUBSCRIBE = re.compile(r"unsubscri|退订|取消订阅", re.IGNORECASE)


class Checks:
    """All checks of one campaign."""

    def __init__(
        self,
        campaign: NewCampaign,
        facts: Facts,
        now: datetime,
        *,
        hourly: int,
        repeats: bool,
        looks_for_equal: bool,
    ) -> None:
        """Take what is checked.

        Args:
            hourly: campaigns that the tenant may create in an hour.
            repeats: whether a repetition is meant.
            looks_for_equal: whether the gateway refuses repetitions that are not meant.
        """
        self._looks_for_equal = looks_for_equal
        self._campaign = campaign
        self._facts = facts
        self._now = now
        self._hourly = hourly
        self._repeats = repeats

    def outcomes(self) -> list[Outcome]:
        """Return what all of them come to, in the order of the documentation."""
        return [*self._templates(), *self._list(), *self._sender(), *self._account(), *self._rest()]

    def count(self) -> int | None:
        """Return how many recipients there are; None if the list cannot be read."""
        contacts = self._facts.contacts.value
        if contacts is None or contacts.contact_count is None:
            return None
        chosen = self._campaign.recipients
        last = contacts.contact_count if chosen.last is None else min(chosen.last, contacts.contact_count)
        return max(0, last - chosen.first + 1)

    def _templates(self) -> Iterator[Outcome]:
        where = "/template_ids"
        ids, told, reviews = self._campaign.template_ids, self._facts.templates, self._facts.reviews
        gone = [each for each, fact in zip(ids, told, strict=True) if fact.missing]
        if gone:
            text = sentence("There is no template {ids}.", ids=listed(gone))
            codes: tuple[Code, ...] = ("template_exists", "template_approved", "template_subjects")
            yield from (Outcome(code, "fail", text, where) for code in codes)
            return
        yield by_facts("template_exists", told, sentence("The templates are there."), where)
        refused = [each for each, fact in zip(ids, reviews, strict=True) if fact.missing or is_status(fact, "rejected")]
        waiting = [each for each, fact in zip(ids, reviews, strict=True) if is_status(fact, "checking")]
        if refused:
            text = sentence("The platform's review has rejected template {ids}.", ids=listed(refused))
            yield Outcome("template_approved", "fail", text, where)
        elif waiting:
            text = sentence("Template {ids} is still in review; only approved ones are sent.", ids=listed(waiting))
            yield Outcome("template_approved", "fail", text, where)
        elif any(fact.value is not None and not is_status(fact, "approved") for fact in reviews):
            text = sentence("The platform does not tell what its review has found.")
            yield Outcome("template_approved", "unknown", text, where)
        else:
            yield by_facts("template_approved", reviews, sentence("The templates are approved."), where)
        bare = [each for each, fact in zip(ids, told, strict=True) if fact.value and not fact.value.subjects]
        if bare:
            text = sentence("Template {ids} has no subject.", ids=listed(bare))
            yield Outcome("template_subjects", "fail", text, where)
        else:
            yield by_facts("template_subjects", told, sentence("Every template has a subject."), where)

    def _list(self) -> Iterator[Outcome]:
        contacts, where = self._facts.contacts, "/list_id"
        codes: tuple[Code, ...] = ("list_exists", "list_enabled", "list_has_contacts", "range_within_list")
        if contacts.missing:
            text = sentence("There is no contact list {id}.", id=self._campaign.list_id)
            yield from (Outcome(code, "fail", text, where) for code in codes)
            return
        if contacts.value is None:
            yield from (Outcome(code, "unknown", unknown(contacts), where) for code in codes)
            return
        yield Outcome("list_exists", "pass", sentence("The contact list is there."), where)
        status, size = contacts.value.status, contacts.value.contact_count
        if status == "enabled":
            yield Outcome("list_enabled", "pass", sentence("The contact list is enabled."), where)
        elif status == "disabled":
            yield Outcome("list_enabled", "fail", sentence("The contact list is disabled."), where)
        else:
            text = sentence("The platform does not tell whether the contact list is enabled.")
            yield Outcome("list_enabled", "unknown", text, where)
        if size is None:
            text = sentence("The platform does not tell how many contacts the list holds.")
            yield Outcome("list_has_contacts", "unknown", text, where)
            yield Outcome("range_within_list", "unknown", text, "/recipients")
            return
        if size:
            text = sentence("The contact list holds {count} contacts.", count=size)
            yield Outcome("list_has_contacts", "pass", text, where)
        else:
            yield Outcome("list_has_contacts", "fail", sentence("The contact list holds no contacts."), where)
        yield self._range(size)

    def _range(self, size: int) -> Outcome:
        chosen = self._campaign.recipients
        if chosen.first > size:
            text = sentence("The range begins behind the list's end: it holds {count} contacts.", count=size)
            return Outcome("range_within_list", "fail", text, "/recipients")
        if chosen.last is not None and chosen.last > size:
            text = sentence("The range ends behind the list's end: it holds {count} contacts.", count=size)
            return Outcome("range_within_list", "warn", text, "/recipients")
        return Outcome("range_within_list", "pass", sentence("The range lies within the list."), "/recipients")

    def _sender(self) -> Iterator[Outcome]:
        sender, domains, where = self._campaign.sender, self._facts.domains, "/sender"
        wanted = (sender.domain or (sender.address or "").rpartition("@")[2]).lower()
        names = {(each.domain or "").lower() for each in domains.value or ()}
        if domains.value is None:
            yield Outcome("sender_domain_usable", "unknown", unknown(domains), where)
        elif (wanted in names) if wanted else names:
            yield Outcome("sender_domain_usable", "pass", sentence("The account may send from there."), where)
        elif wanted:
            text = sentence("The domain {domain} is not one of the account's.", domain=wanted)
            yield Outcome("sender_domain_usable", "fail", text, where)
        else:
            yield Outcome("sender_domain_usable", "fail", sentence("The account has no domain."), where)
        boxes = self._facts.mailboxes
        if boxes is None:
            text = sentence("No particular mailbox is asked for.")
            yield Outcome("sender_mailbox_exists", "pass", text, where)
        elif boxes.missing or (boxes.reason == "upstream_rejected" and wanted not in names):
            text = sentence("The account has no mailbox at {domain}.", domain=wanted)
            yield Outcome("sender_mailbox_exists", "fail", text, where)
        elif boxes.value is None:
            yield Outcome("sender_mailbox_exists", "unknown", unknown(boxes), where)
        elif sender.address is not None and sender.address.lower() not in boxes.value:
            text = sentence("There is no mailbox {address}.", address=sender.address)
            yield Outcome("sender_mailbox_exists", "fail", text, where)
        elif not boxes.value:
            text = sentence("The account has no mailbox at {domain}.", domain=wanted)
            yield Outcome("sender_mailbox_exists", "fail", text, where)
        else:
            yield Outcome("sender_mailbox_exists", "pass", sentence("The sender's mailbox is there."), where)

    def _account(self) -> Iterator[Outcome]:
        told, service = self._facts.service, self._facts.service.value
        if service is None:
            codes: tuple[Code, ...] = ("service_enabled", "service_not_expired", "quota_sufficient")
            yield from (Outcome(code, "unknown", unknown(told), None) for code in codes)
            return
        if service.status == "enabled":
            yield Outcome("service_enabled", "pass", sentence("The account may send."), None)
        elif service.status == "disabled":
            yield Outcome("service_enabled", "fail", sentence("The account's service is disabled."), None)
        else:
            text = sentence("The platform does not tell whether the account may send.")
            yield Outcome("service_enabled", "unknown", text, None)
        day = (self._campaign.schedule.at or self._now).astimezone(self._now.tzinfo).date()
        if service.expires_on is None:
            text = sentence("The platform does not tell until when the account may send.")
            yield Outcome("service_not_expired", "unknown", text, None)
        elif day > service.expires_on or (service.starts_on is not None and day < service.starts_on):
            text = sentence(
                "The account may not send on {day}: its service ends on {end}.", day=day, end=service.expires_on
            )
            yield Outcome("service_not_expired", "fail", text, "/schedule")
        else:
            text = sentence("The account may send until {end}.", end=service.expires_on)
            yield Outcome("service_not_expired", "pass", text, None)
        yield self._quota(service.quota_available)

    def _quota(self, available: int | None) -> Outcome:
        count = self.count()
        if available is None or count is None:
            text = sentence("Whether the quota is enough cannot be told: it or the list's size is not known.")
            return Outcome("quota_sufficient", "unknown", text, None)
        text = sentence(
            "There are {count} recipients, and {available} mails may be sent.", count=count, available=available
        )
        return Outcome("quota_sufficient", "pass" if available >= count else "fail", text, None)

    def _rest(self) -> Iterator[Outcome]:
        created, alike = self._facts.created, self._facts.alike
        if created.value is None:
            yield Outcome("campaigns_left_this_hour", "unknown", unknown(created), None)
        else:
            left = max(0, self._hourly - created.value)
            text = sentence("Of {limit} campaigns an hour {left} are left.", limit=self._hourly, left=left)
            yield Outcome("campaigns_left_this_hour", "pass" if left else "fail", text, None)
        if alike.reason is not None:
            yield Outcome("no_recent_duplicate", "unknown", unknown(alike), None)
        elif not self._looks_for_equal:
            text = sentence("Equal campaigns are not looked for here; nothing keeps one from being sent twice.")
            yield Outcome("no_recent_duplicate", "pass", text, None)
        elif alike.value is None:
            text = sentence("No equal campaign was created in the last minutes.")
            yield Outcome("no_recent_duplicate", "pass", text, None)
        else:
            text = sentence(
                "An equal campaign was created minutes ago ({reference}); another one needs `allow_duplicate=true`.",
                reference=alike.value,
            )
            yield Outcome("no_recent_duplicate", "warn" if self._repeats else "fail", text, None)
        yield self._scheduled()
        yield self._unsubscribing()
        yield self._tracking()

    def _scheduled(self) -> Outcome:
        at, where = self._campaign.schedule.at, "/schedule/at"
        if at is None:
            return Outcome("scheduled_in_future", "pass", sentence("No time is asked for."), where)
        if at < self._now - _A_MINUTE:
            return Outcome("scheduled_in_future", "fail", sentence("The time is in the past."), where)
        if at <= self._now + _A_MINUTE:
            text = sentence("The time is so near that it may be over when the platform reads it.")
            return Outcome("scheduled_in_future", "unknown", text, where)
        return Outcome("scheduled_in_future", "pass", sentence("The time is in the future."), where)

    def _unsubscribing(self) -> Outcome:
        where = "/unsubscribe_link"
        if self._campaign.unsubscribe_link:
            text = sentence("The platform adds a link to unsubscribe.")
            return Outcome("unsubscribe_link_kept", "pass", text, where)
        templates = [fact.value for fact in self._facts.templates]
        if any(each is not None and not _UNSUBSCRIBE.search(each.content or "") for each in templates):
            text = sentence("Nothing in the message lets recipients unsubscribe.")
            return Outcome("unsubscribe_link_kept", "warn", text, where)
        if None in templates:
            text = sentence("Whether the templates hold a link to unsubscribe cannot be told: they cannot be read.")
            return Outcome("unsubscribe_link_kept", "unknown", text, where)
        text = sentence("The templates speak of unsubscribing themselves.")
        return Outcome("unsubscribe_link_kept", "pass", text, where)

    def _tracking(self) -> Outcome:
        wanted, where = self._campaign.tracking_domain, "/tracking_domain"
        if wanted is None or self._campaign.tracking == "off":
            text = sentence("No tracking domain of your own is asked for.")
            return Outcome("tracking_domain_usable", "pass", text, where)
        domains = self._facts.domains
        if domains.value is None:
            return Outcome("tracking_domain_usable", "unknown", unknown(domains), where)
        if not any(f".{wanted}".endswith(f".{(each.domain or '?').lower()}") for each in domains.value):
            text = sentence("{domain} belongs to none of the account's domains.", domain=wanted)
            return Outcome("tracking_domain_usable", "fail", text, where)
        text = sentence("The platform does not tell whether {domain} leads to it.", domain=wanted)
        return Outcome("tracking_domain_usable", "unknown", text, where)
