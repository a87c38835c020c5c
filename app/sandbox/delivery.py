"""Deciding what becomes of a campaign's recipients, without chance.

Every decision is drawn from a digest of the send id and the address, so the same sandbox gives the same numbers each
time. A tag in the local part of an address decides the outcome by name: ``anna+over_quota@example.com`` always
fails as a full mailbox.
"""

import hashlib
import html
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from app.sandbox.models import Campaign, Clicks, Contact, MailDelivery, Reader

DELIVERED, NOT_EXIST, OVER_QUOTA, USER_REJECT, UNDOCUMENTED, SPAM, INVALID, FORMAT = 0, 1, 2, 3, 4, 5, 8, 9
UNSENT = frozenset({INVALID, FORMAT})

OUTCOME_TAGS = {
    "not_exist": NOT_EXIST,
    "over_quota": OVER_QUOTA,
    "user_reject": USER_REJECT,
    "spam": SPAM,
    "invalid_addr": INVALID,
    "format_error": FORMAT,
    "delivered": DELIVERED,
}

_HREF = re.compile(r"""href\s*=\s*["'](https?://[^"']+)["']""", re.IGNORECASE)

# Out of 64: about four in five messages arrive.
_OUTCOMES = (NOT_EXIST,) * 4 + (OVER_QUOTA,) * 2 + (USER_REJECT,) * 2 + (UNDOCUMENTED, SPAM, INVALID, INVALID, FORMAT)
_OUTCOME_SIDES = 64

_SYSTEMS = (
    ("pc", "Chrome", "Windows 10"),
    ("mobile", "WeChat", "Android "),
    ("pc", "Internet Explorer", "Windows 7"),
    ("mobile", "Safari", "iPhone "),
    ("pc", "Firefox", "Mac OS X"),
    ("mobile", "", "Android "),
)
_PLACES = (
    "亚洲|中国|北京北京",
    "亚洲|中国|广东深圳",
    "亚洲|中国|上海上海",
    "亚洲|中国|四川成都",
    "北美洲|美国|",
    "欧洲|德国|柏林",
    "亚洲|中国|",
    "",
)
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


def links_of(bodies: Iterable[str]) -> list[str]:
    """Find the web links of HTML bodies, each once, in order."""
    return list(dict.fromkeys(html.unescape(url) for body in bodies for url in _HREF.findall(body)))


def plan_deliveries(
    campaign: Campaign,
    contacts: Sequence[Contact],
    start: datetime,
    duration: timedelta,
    new_click_id: Callable[[], int],
) -> list[MailDelivery]:
    """Decide for each recipient when it is sent, whether it arrives, and when it is opened and clicked.

    The campaign's tracking decides whether opens (1, 2) and clicks (2) on its links are recorded.
    """
    step = duration / max(len(contacts), 1)
    return [
        _plan(campaign, contact, start + step * (place + 1), new_click_id) for place, contact in enumerate(contacts)
    ]


def _plan(campaign: Campaign, contact: Contact, sent_at: datetime, new_click_id: Callable[[], int]) -> MailDelivery:
    dice = hashlib.sha256(f"{campaign.id}:{contact.address}".encode()).digest()
    outcome = _outcome(contact.address, dice[0])
    opens: tuple[datetime, ...] = ()
    clicks: tuple[Clicks, ...] = ()
    if outcome == DELIVERED and campaign.track_status > 0:
        opens = _opens(sent_at, dice)
    if opens and campaign.track_status > 1:
        clicks = _clicks(list(campaign.links), opens[0], dice, new_click_id)
    return MailDelivery(contact.id, contact.address, sent_at, outcome, _reader(dice), opens, clicks)


def _outcome(address: str, die: int) -> int:
    tag = address.partition("@")[0].partition("+")[2]
    if tag in OUTCOME_TAGS:
        return OUTCOME_TAGS[tag]
    side = die % _OUTCOME_SIDES
    return _OUTCOMES[side] if side < len(_OUTCOMES) else DELIVERED


def _opens(sent_at: datetime, dice: bytes) -> tuple[datetime, ...]:
    """Four in ten readers open within half a minute, to be watched, the others over a day and a half."""
    if dice[1] >= 150:
        return ()
    first = sent_at + timedelta(seconds=5 + int(130_000 * (dice[2] / 256) ** 10))
    return tuple(first + timedelta(minutes=7 * nth * (1 + dice[3] % 90)) for nth in range(1 + dice[4] % 3))


def _clicks(
    link_ids: Sequence[int], opened: datetime, dice: bytes, new_click_id: Callable[[], int]
) -> tuple[Clicks, ...]:
    if dice[5] >= 120:
        return ()
    chosen = [link_id for place, link_id in enumerate(link_ids) if (dice[6] >> place % 8) & 1]
    return tuple(
        Clicks(
            new_click_id(),
            link_id,
            tuple(opened + timedelta(seconds=20 * (place + 1) + 90 * nth) for nth in range(1 + dice[7] % 3)),
        )
        for place, link_id in enumerate(chosen)
    )


def _reader(dice: bytes) -> Reader:
    device, browser, system = _SYSTEMS[dice[8] % len(_SYSTEMS)]
    return Reader(
        device=device,
        browser=browser,
        os=system,
        place=_PLACES[dice[9] % len(_PLACES)],
        ip=f"{_NETWORKS[dice[10] % 3]}.{1 + dice[11] % 254}",
        later_place=_PLACES[dice[12] % len(_PLACES)],
        later_ip=f"{_NETWORKS[dice[13] % 3]}.{1 + dice[14] % 254}",
    )
