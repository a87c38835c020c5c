"""Public models of tracking."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.types import Example, PublicModel

_CLICKS: Example = {
    "unique_clicks": 74,
    "total_clicks": 103,
    "first_click_at": "2026-03-02T09:34:10+08:00",
    "last_click_at": "2026-03-05T21:07:44+08:00",
}
LINK_EXAMPLE: Example = {"id": 2400001, "url": "https://shop.example/sale?utm=mail&id=1", **_CLICKS}
_LOCATION: Example = {"continent": "亚洲", "country": "中国", "place": "北京北京"}

Rate = Annotated[float | None, Field(ge=0, le=1)]


class TrackedLink(PublicModel):
    """A link in a campaign's messages, and the clicks on it."""

    model_config = ConfigDict(json_schema_extra={"examples": [LINK_EXAMPLE]})

    id: Annotated[int | None, Field(description="The link's id.")]
    url: Annotated[str | None, Field(description="Where it leads.")]
    unique_clicks: Annotated[int | None, Field(description="Recipients who clicked.")]
    total_clicks: Annotated[int | None, Field(description="All clicks.")]
    first_click_at: Annotated[datetime | None, Field(description="When it was first clicked.")]
    last_click_at: Annotated[datetime | None, Field(description="When it was last clicked.")]


class Tracking(PublicModel):
    """What became of a campaign's messages once they had arrived."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "track_id": 880001,
                    "statistics_id": 1036701,
                    "batch": "20260302093000-2369-1",
                    "campaign_id": 5500001,
                    "sent_count": 1180,
                    "delivered_count": 1139,
                    "failed_count": 41,
                    "unique_opens": 412,
                    "total_opens": 655,
                    "first_open_at": "2026-03-02T09:31:05+08:00",
                    "last_open_at": "2026-03-09T18:20:00+08:00",
                    **_CLICKS,
                    "open_rate": 0.3617,
                    "click_rate": 0.065,
                    "open_ratio": "36.17%",
                    "click_ratio": "6.50%",
                    "links": [LINK_EXAMPLE],
                }
            ]
        }
    )

    track_id: Annotated[int | None, Field(description="The number under which the platform tracks the campaign.")]
    statistics_id: Annotated[int | None, Field(description="Another number than the campaign's id.")]
    batch: Annotated[str | None, Field(description="The campaign's batch number.")]
    campaign_id: Annotated[int | None, Field(description="The campaign's id.")]
    sent_count: Annotated[int | None, Field(description="Messages sent.")]
    delivered_count: Annotated[int | None, Field(description="Messages sent and not refused.")]
    failed_count: Annotated[int | None, Field(description="Messages that failed.")]
    unique_opens: Annotated[int | None, Field(description="Recipients who opened.")]
    total_opens: Annotated[int | None, Field(description="All opens.")]
    first_open_at: Annotated[datetime | None, Field(description="When the first message was opened.")]
    last_open_at: Annotated[datetime | None, Field(description="null when it was opened once.")]
    unique_clicks: Annotated[int | None, Field(description="Recipients who clicked.")]
    total_clicks: Annotated[int | None, Field(description="All clicks.")]
    first_click_at: Annotated[datetime | None, Field(description="When the first link was clicked.")]
    last_click_at: Annotated[datetime | None, Field(description="null when there was one click.")]
    open_rate: Annotated[Rate, Field(description="`unique_opens` / `delivered_count`; null when nothing was sent.")]
    click_rate: Annotated[Rate, Field(description="`unique_clicks` / `delivered_count`; null when nothing was sent.")]
    open_ratio: Annotated[str | None, Field(description="The platform's own text, whose unit it does not document.")]
    click_ratio: Annotated[str | None, Field(description="The platform's own text, whose unit it does not document.")]
    links: Annotated[list[TrackedLink], Field(description="The links in its messages.")]


class Location(PublicModel):
    """Where somebody was, as far as the platform could tell from the network address."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LOCATION]})

    continent: Annotated[str | None, Field(description="The continent, in the platform's words.")]
    country: Annotated[str | None, Field(description="The country, in the platform's words.")]
    place: Annotated[str | None, Field(description="The place within the country, in the platform's words.")]


class Open(PublicModel):
    """A recipient who opened the message, and how often."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email_id": 90000001,
                    "email": "li.na@example.com",
                    "browser": "WeChat",
                    "os": "Android",
                    "device": "mobile",
                    "first_location": _LOCATION,
                    "last_location": None,
                    "first_ip": "192.0.2.17",
                    "last_ip": None,
                    "total_opens": 1,
                    "total_clicks": 0,
                    "first_open_at": "2026-03-02T09:31:05+08:00",
                    "last_open_at": None,
                    "first_click_at": None,
                    "last_click_at": None,
                }
            ]
        }
    )

    email_id: Annotated[int | None, Field(description="The platform's number of this recipient.")]
    email: Annotated[str | None, Field(description="The recipient's address.")]
    browser: Annotated[str | None, Field(description="The program it was opened with.")]
    os: Annotated[str | None, Field(description="The operating system it was opened on.")]
    device: Annotated[str | None, Field(description="The platform's own word: `pc`, `mobile`.")]
    first_location: Annotated[Location | None, Field(description="Where it was first opened.")]
    last_location: Annotated[Location | None, Field(description="Where it was last opened.")]
    first_ip: Annotated[str | None, Field(description="The network address it was first opened from.")]
    last_ip: Annotated[str | None, Field(description="The network address it was last opened from.")]
    total_opens: Annotated[int | None, Field(description="How often it was opened.")]
    total_clicks: Annotated[int | None, Field(description="How often its links were clicked.")]
    first_open_at: Annotated[datetime | None, Field(description="When it was first opened.")]
    last_open_at: Annotated[datetime | None, Field(description="null when it was opened once.")]
    first_click_at: Annotated[datetime | None, Field(description="When a link was first clicked.")]
    last_click_at: Annotated[datetime | None, Field(description="null when there was one click.")]


class Click(PublicModel):
    """One recipient's clicks on one link."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 30000001,
                    "email": "li.na@example.com",
                    "url": "https://shop.example/sale?utm=mail&id=1",
                    "unique_clicks": 1,
                    "total_clicks": 2,
                    "first_click_at": "2026-03-02T09:34:10+08:00",
                    "last_click_at": "2026-03-02T09:36:02+08:00",
                }
            ]
        }
    )

    id: Annotated[int | None, Field(description="The platform's number of this entry.")]
    email: Annotated[str | None, Field(description="The recipient's address.")]
    url: Annotated[str | None, Field(description="Where the link leads.")]
    unique_clicks: Annotated[int | None, Field(description="1 for a recipient who clicked.")]
    total_clicks: Annotated[int | None, Field(description="All the recipient's clicks on the link.")]
    first_click_at: Annotated[datetime | None, Field(description="When the recipient first clicked.")]
    last_click_at: Annotated[datetime | None, Field(description="null when there was one click.")]


class TrackedRecipient(PublicModel):
    """A recipient whom the tracking knows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "li.na@example.com"}]})

    email: Annotated[str, Field(description="The recipient's address.")]
