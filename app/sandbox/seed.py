"""Believable data for an account: the same every time, dated back from the moment of seeding.

All addresses are at reserved domains, all network addresses in documentation ranges.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.sandbox.models import (
    Campaign,
    ContactFields,
    ContactList,
    Domain,
    FileImport,
    ImportTally,
    Profile,
    Sender,
    SenderMailbox,
    Template,
    TemplateFile,
)
from app.sandbox.state import CANCELLED, HELD, AccountState
from app.sandbox.times import CHINA, ZERO_DATE

MAILBOX_PASSWORD = "sandbox"  # noqa: S105 - everybody may know it; there is nothing behind it

_FAMILY = ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "欧阳", "司马")
_PINYIN = ("wang", "li", "zhang", "liu", "chen", "yang", "zhao", "huang", "zhou", "wu", "ouyang", "sima")
_GIVEN = (
    ("伟", "wei"),
    ("芳", "fang"),
    ("秀英", "xiuying"),
    ("敏", "min"),
    ("静", "jing"),
    ("建国", "jianguo"),
    ("磊", "lei"),
)
_LATIN = ("Anna Schmidt", "John O'Neill", "María García", "Zoë Müller", "Li & Sons", "Jean-Luc Petit")
_AREAS = ("北京", "上海市浦东新区", "深圳市福田区科技园中路 3号", "广东省广州市", "成都", "")
_HOSTS = ("example.com", "example.org", "example.net", "mail.example", "shop.example")
_LISTS = (
    ("会员 Members", "线上商城的注册会员", "enabled", 60),
    ("Newsletter EN", "English newsletter readers", "enabled", 30),
    ("展会客户 2025", "上海国际展会收集", "enabled", 20),
    ("Alte Kunden", "", "disabled", 7),
    ("空列表", "还没有地址", "enabled", 0),
)
_UNLISTED = 3
_FIRST_CAMPAIGN = datetime(2026, 3, 2, 9, 30, tzinfo=CHINA)
"""When the oldest campaign was sent, so that the API's documentation can name its date and batch number."""


def seed(state: AccountState, now: datetime) -> None:
    """Fill an empty account's state; ``now`` is the moment everything is dated back from."""
    state.profile = Profile(
        company=f"{state.account.username} 贸易有限公司",
        contact="王小明",
        phone="075512345678",
        mobile="013500000001",
        email=f"{state.account.username}@example.com",
        address="深圳市福田区科技园中路 3号",
    )
    # Whole hours keep every stored second the same, whatever fraction the clock is at.
    base = now.astimezone(CHINA).replace(minute=0, second=0, microsecond=0)
    lists = _seed_lists(state, base)
    templates = _seed_templates(state, base)
    _seed_reviews(state, now.replace(microsecond=0))
    _seed_domains(state, now)
    _seed_imports(state, lists, base)
    _seed_campaigns(state, lists, templates, base)
    state.advance(now)


def own_domain(username: str) -> str:
    """Answer the seeded account's main domain, ``<username>.example`` as far as a name allows."""
    return f"{re.sub('[^a-z0-9]+', '-', username.lower()).strip('-') or 'account'}.example"


def _seed_lists(state: AccountState, base: datetime) -> list[ContactList]:
    lists = []
    person = 0
    for subject, description, status, size in _LISTS:
        item = ContactList(state.ids.take("list"), subject, description, status)
        state.lists[item.id] = item
        lists.append(item)
        for _ in range(size):
            state.put_contact(item.id, _person(person), base - timedelta(days=90, minutes=-person))
            person += 1
    for _ in range(_UNLISTED):
        state.put_contact(0, _person(person), base - timedelta(days=80))
        person += 1
    lists[0].unsubscribed = {
        f"left{number}@example.com": base - timedelta(days=30 - number, minutes=number) for number in range(4)
    }
    return lists


def _person(number: int) -> ContactFields:
    """Make up the n-th person; every field is empty for some of them."""
    family, (given, latin) = number % len(_FAMILY), _GIVEN[number % len(_GIVEN)]
    name = _LATIN[number // 5 % len(_LATIN)] if number % 5 == 4 else _FAMILY[family] + given
    birthday = f"{1960 + number % 45}-{1 + number % 12:02}-{1 + number % 28:02}"
    variables = {1: f"VIP{number % 4}"} if number % 3 == 0 else {}
    return ContactFields(
        address=f"{_PINYIN[family]}.{latin}{number:03}@{_HOSTS[number % len(_HOSTS)]}",
        fullname=name,
        sex=("M", "F", "")[number % 3],
        birthday=ZERO_DATE if number % 4 == 3 else birthday,
        phone=f"0{13500000000 + number * 7919}" if number % 6 else "",
        area=_AREAS[number % len(_AREAS)],
        variables=variables | ({10: f"积分 {number * 10}"} if number % 10 == 0 else {}),
    )


def _seed_templates(state: AccountState, base: datetime) -> list[Template]:
    shop, news = "https://shop.example/sale?utm=mail&amp;id=1", "https://news.example/archive"
    bodies: Sequence[tuple[str, tuple[str, ...], str]] = (
        (
            "双十一促销",
            ("双十一大促，全场五折", "Singles' Day: 50% off"),
            f'<h1>双十一</h1><p>点击<a href="{shop}">这里</a>或<a href="https://shop.example/coupon">领券</a>。</p>',
        ),
        ("Monthly newsletter", ("News of the month",), f'<p>Hello, <a href="{news}">read on</a> ]]&gt; & enjoy.</p>'),
        ("免费试用", ("免费试用邀请",), '<p>立即<a href="https://trial.example/">免费试用</a></p>'),
    )
    templates = []
    for place, (name, subjects, content) in enumerate(bodies):
        moment = base - timedelta(days=60 - 10 * place)
        template = Template(
            id=state.ids.take("template"),
            name=name,
            subjects={state.ids.take("subject"): subject for subject in subjects},
            content=content,
            created=moment,
            updated=moment + timedelta(hours=place),
        )
        state.templates[template.id] = template
        templates.append(template)
    number = state.ids.take("attachment")
    templates[0].attachments[number] = TemplateFile(number, "价目表.pdf", b"%PDF-1.4 sandbox price list\n")
    return templates


def _seed_reviews(state: AccountState, now: datetime) -> None:
    """Add a template in review, which will pass, and a rejected one."""
    for name, content, moment in (
        ("春季新品 🌷", '<p>新品<a href="https://shop.example/spring">预览</a></p>', now),
        ("财务通知", "<p>代开发票，联系微信</p>", now - timedelta(days=5)),
    ):
        number = state.ids.take("template")
        subjects = {state.ids.take("subject"): name}
        state.templates[number] = Template(number, name, subjects, content, created=moment, updated=moment)


def _seed_domains(state: AccountState, now: datetime) -> None:
    own = own_domain(state.account.username)
    for name, verified in ((own, True), (f"mail.{own}", True), (f"new.{own}", False), (f"soon.{own}", False)):
        state.domains[name] = Domain(state.ids.take("domain"), name, now, verified)
    for address in (f"news@{own}", f"service@{own}", f"promo@mail.{own}"):
        state.mailboxes[address] = SenderMailbox(address, MAILBOX_PASSWORD)


def _seed_imports(state: AccountState, lists: Sequence[ContactList], base: datetime) -> None:
    past = (
        ("members-2025.csv", lists[0], 1, ImportTally(63, 2, 1)),
        ("会员名单.txt", lists[2], 1, ImportTally(20, 0, 0)),
        ("empty.csv", lists[4], -2, ImportTally()),
    )
    for place, (filename, item, status, tally) in enumerate(past):
        number = state.ids.take("import")
        moment = base - timedelta(days=90 - place, minutes=5)
        state.imports[number] = FileImport(number, item.id, item.subject, filename, b"", moment, status, True, tally)


def _seed_campaigns(
    state: AccountState, lists: Sequence[ContactList], templates: Sequence[Template], base: datetime
) -> None:
    own = own_domain(state.account.username)
    address = Sender("address", own, f"news@{own}")
    plans = (
        (timedelta(days=20, hours=2), templates[:1], lists[:1], address, 2, 1),
        (timedelta(days=9), templates[1:2], lists[1:2], Sender("domain", own), 1, 1),
        (timedelta(days=3, hours=5), templates[:2], lists[0:3:2], address, 2, 1),
        (timedelta(days=2), templates[1:2], lists[2:3], Sender("all"), 0, CANCELLED),
        (timedelta(days=-7), templates[2:3], lists[:1], address, 2, HELD),
    )
    for age, chosen, receivers, sender, tracking, status in plans:
        moment = base - age if state.campaigns else min(base - age, _FIRST_CAMPAIGN)
        campaign = Campaign(
            id=state.ids.take("send"),
            task_id=state.ids.take("task"),
            track_id=state.ids.take("track"),
            ident="",
            template_ids=[template.id for template in chosen],
            list_ids=[item.id for item in receivers],
            sender=sender,
            sender_name="小王 Newsletter",
            send_time=moment,
            released=min(moment, base),
            status=status,
            reply_to=f"service@{own}",
            track_status=tracking,
        )
        campaign.ident = f"{campaign.released:%Y%m%d%H%M%S}-{state.customer_id}-{campaign.id % 1000}"
        campaign.recipient_count = len(state.recipients(campaign))
        state.campaigns[campaign.id] = campaign
