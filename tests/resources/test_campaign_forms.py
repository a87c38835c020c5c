"""What the platform is told of campaigns, for every valid request."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.errors import Conflict, ValidationFailed
from app.gateway.clock import PlatformClock
from app.gateway.operation import Effect
from app.resources.campaigns.editing import complete, plan
from app.resources.campaigns.forms import CreateCampaign, edited_campaign, new_campaign
from app.resources.campaigns.operations import edit_operation
from app.resources.campaigns.requests import CampaignChanges, NewCampaign
from app.resources.campaigns.schemas import Campaign, CampaignSender

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=CHINA)
CLOCK = PlatformClock(CHINA, lambda: NOW)

SENDERS = st.sampled_from(
    [
        {"type": "any"},
        {"type": "domain", "domain": "mail.example.com"},
        {"type": "address", "address": "news@example.com"},
    ]
)
RANGES = st.tuples(st.integers(1, 10**9), st.none() | st.integers(0, 10**8)).map(
    lambda pair: {"from": pair[0], **({} if pair[1] is None else {"to": min(pair[0] + pair[1], 10**9)})}
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.tuples(st.timedeltas(timedelta(0), timedelta(days=365_000)), ZONES).map(
    lambda pair: (NOW + pair[0]).astimezone(pair[1]).isoformat()
)
SCHEDULES = st.sampled_from([{"mode": "now"}, {"mode": "hold"}]) | MOMENTS.map(lambda at: {"mode": "at", "at": at})
BODIES = st.fixed_dictionaries(
    {
        "template_ids": st.lists(st.integers(1, 2**53 - 1), min_size=1, max_size=5, unique=True),
        "list_id": st.integers(1, 2**53 - 1),
        "sender": SENDERS,
        "from_name": st.sampled_from(["示例新闻", "A & B; C=D", "x" * 255]),
        "schedule": SCHEDULES,
    },
    optional={
        "reply_to": st.none() | st.just("reply@example.com"),
        "recipients": RANGES,
        "tracking": st.sampled_from(["off", "opens", "opens_and_clicks"]),
        "tracking_domain": st.none() | st.just("t.example.com"),
        "unsubscribe_link": st.booleans(),
    },
)


@given(BODIES)
def test_nothing_is_left_to_the_platforms_defaults(body: dict[str, Any]) -> None:
    campaign = NewCampaign.model_validate(body)
    parameters = new_campaign(CreateCampaign(campaign, plan(campaign.schedule, CLOCK)))
    form = dict(parameters.form or {})
    schedule = body["schedule"]
    assert form["status"] == {"now": "2", "at": "1", "hold": "-1"}[schedule["mode"]]
    if schedule["mode"] == "now":
        assert (parameters.time, "time" in form) == ("time", False)
        return
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", form["time"])
    due = datetime.fromisoformat(form["time"]).replace(tzinfo=CHINA)
    expected = datetime.fromisoformat(schedule["at"]) if "at" in schedule else NOW
    assert due == expected.replace(microsecond=0)
    assert int(form["send_qty_start"]) == body.get("recipients", {}).get("from", 1) >= 1
    assert int(form["send_qty"]) == body.get("recipients", {}).get("to", 0)
    assert form["track_status"] in {"0", "1", "2"}
    assert form["subs_link"] == ("1" if body.get("unsubscribe_link", True) else "0")
    assert (form["send_domain"] == "all") == (body["sender"]["type"] == "any")
    assert all(form.values())
    assert parameters.query == {}


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "template_ids": st.just([16]),
        "from_name": st.just("x"),
        "sender": st.sampled_from([{"type": "any"}, {"type": "domain", "domain": "new.example"}]),
        "recipients": st.sampled_from([{}, {"from": 2}, {"from": 5, "to": 9}]),
        "tracking": st.sampled_from(["off", "opens"]),
        "unsubscribe_link": st.booleans(),
        "schedule": st.sampled_from([{"mode": "now"}, {"mode": "hold"}, {"mode": "at", "at": "2999-01-01T00:00:00Z"}]),
    },
).filter(bool)
PRESENTS = st.builds(
    Campaign.model_construct,
    id=st.just(5),
    status=st.sampled_from(["waiting", "sending", "sent", "held", "paused", "cancelled", "unknown", None]),
    sender=st.builds(
        CampaignSender,
        type=st.sampled_from(["any", "domain", "address", "unknown", None]),
        domain=st.sampled_from([None, "old.example"]),
        address=st.sampled_from([None, "old@example.com"]),
    ),
    send_limit=st.sampled_from([None, 0, 7]),
    scheduled_at=st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
)


@given(CHANGES, PRESENTS, st.sampled_from([None, 0, 7]))
def test_an_edit_changes_only_what_it_names(body: dict[str, Any], present: Campaign, known_end: int | None) -> None:
    changes = CampaignChanges.model_validate(body)
    timing = plan(changes.schedule, CLOCK) if "schedule" in body else None
    try:
        request = complete(changes, timing, present, NOW, known_end=known_end)
    except (Conflict, ValidationFailed):
        return
    form = dict(edited_campaign(request).form or {})
    kept = {"waiting": "1", "held": "-1", "paused": "-1"}[str(present.status)]
    asked = body.get("schedule", {}).get("mode")
    assert form["send_status"] == {None: kept, "now": "2", "at": "1", "hold": "-1"}[asked]
    if asked in {None, "hold"} and present.scheduled_at:
        assert form["send_time"] == f"{present.scheduled_at:%Y-%m-%d %H:%M:%S}"
    if "sender" not in body:
        expected = {
            "any": ("all", "all"),
            "domain": ("old.example", "all"),
            "address": ("example.com", "old@example.com"),
        }
        assert (form["send_domain"], form["send_account"]) == expected[str(present.sender.type)]
    if "recipients" not in body:
        assert (form["send_qty_start"], form["send_qty"], known_end) == (
            "1",
            str(present.send_limit),
            present.send_limit,
        )
    assert ("tpl_id" in form, "send_fullname" in form) == ("template_ids" in body, "from_name" in body)
    assert ("track_status" in form, "subs_link" in form) == ("tracking" in body, "unsubscribe_link" in body)
    assert {"status", "time", "maillist_id", "track_domain", "send_replyto"}.isdisjoint(form)
    assert edit_operation(request).effect is (Effect.IDEMPOTENT_WRITE if form["send_status"] == "-1" else Effect.SEND)
