"""Public models of what callers say about campaigns."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from app.api.types import Changes, DomainName, EmailAddress, Example, Id, Moment, Name, RequestModel
from app.resources.campaigns.schemas import CampaignTracking

ScheduleMode = TypeAliasType(
    "ScheduleMode",
    Annotated[
        Literal["now", "at", "hold"],
        Field(description="When to send: at once, at a time, or not before it is released."),
    ],
)
ReleaseMode = TypeAliasType("ReleaseMode", Annotated[Literal["now", "at"], Field(description="At once, or at a time.")])
SenderType = TypeAliasType(
    "SenderType",
    Annotated[
        Literal["any", "domain", "address"],
        Field(description="Any of the account's addresses, any address of one domain, or one address."),
    ],
)


_SENDER: Example = {"type": "address", "address": "news@demo.example"}
_RANGE = Field(ge=1, le=1_000_000_000)


class ChosenSender(RequestModel):
    """Whom a campaign is to come from."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_SENDER, {"type": "domain", "domain": "example.com"}, {"type": "any"}]}
    )

    type: Annotated[
        SenderType,
        Field(description="Any of the account's addresses, any address of one domain, or one address."),
    ]
    domain: Annotated[
        DomainName | None, Field(description="Needed if, and only if, the type is `domain`.", validate_default=True)
    ] = None
    address: Annotated[
        EmailAddress | None, Field(description="Needed if, and only if, the type is `address`.", validate_default=True)
    ] = None

    @field_validator("domain", "address")
    @classmethod
    def _only_with_its_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "type" in info.data:
            _check_needed(value, needed=info.data["type"] == info.field_name, when=f"the type is `{info.field_name}`")
        return value


class Schedule(RequestModel):
    """When to send: `now`, `at` a time, or not before it is released (`hold`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"mode": "at", "at": "2026-03-02T09:30:00+08:00"},
                {"mode": "hold"},
                {"mode": "hold", "at": "2026-03-02T09:30:00+08:00"},
            ]
        }
    )

    mode: Annotated[ScheduleMode, Field(description="At once, at a time, or not before it is released.")]
    at: Annotated[
        Moment | None,
        Field(
            description="Needed when the mode is `at`; with `hold`, the planned time. A time more than a minute ago is"
            " refused: the platform would send at once.",
            validate_default=True,
        ),
    ] = None

    @field_validator("at")
    @classmethod
    def _only_with_its_mode(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        mode = info.data.get("mode")
        if mode == "at" or (mode == "now" and value is not None):
            _check_needed(value, needed=mode == "at", when="the mode is `at` or `hold`")
        return value


class ReleaseSchedule(Schedule):
    """When a released campaign is sent: `now`, or `at` a time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"mode": "now"}, {"mode": "at", "at": "2026-03-02T09:30:00+08:00"}]}
    )

    mode: Annotated[ReleaseMode, Field(description="At once, or at a time.")]


def _check_needed(value: object, *, needed: bool, when: str) -> None:
    if needed and value is None:
        raise PydanticCustomError("missing", "is needed when {when}", {"when": when})
    if value is not None and not needed:
        raise PydanticCustomError("not_applicable", "may stand only when {when}", {"when": when})


class Recipients(RequestModel):
    """Which contacts of the list get it, counted in the list's order from 1."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": 1}, {"from": 1001, "to": 2000}]})

    first: Annotated[int, _RANGE, Field(alias="from", description="The first contact.")] = 1
    last: Annotated[int | None, _RANGE, Field(alias="to", description="The last one; null is the list's end.")] = None

    @field_validator("last")
    @classmethod
    def _not_before_the_first(cls, last: int | None, info: ValidationInfo) -> int | None:
        if last is not None and last < info.data.get("first", last):
            raise PydanticCustomError("range_order", "must not be less than `from`")
        return last


def _unique(ids: list[int]) -> list[int]:
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("duplicate", "must not name a template twice")
    return ids


TemplateIds = Annotated[
    list[Id],
    Field(
        min_length=1,
        max_length=100,
        description="One template or several, each once.",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_unique),
]
TrackingDomain = Annotated[DomainName, Field(description="A host name of your own for tracked links.")]
_EVERYONE = Recipients()


class CampaignRelease(RequestModel):
    """When a held campaign is to be sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"schedule": {"mode": "now"}, "recipients": {"from": 1}},
                {"schedule": {"mode": "at", "at": "2026-03-02T09:30:00+08:00"}},
            ]
        }
    )

    schedule: Annotated[ReleaseSchedule, Field(description="At once, or at a time.")]
    recipients: Annotated[
        Recipients | None,
        Field(description="Needed for a campaign made elsewhere: the platform does not tell which contacts get it."),
    ] = None


class CampaignContent(RequestModel):
    """What a new campaign consists of, the time of sending aside."""

    template_ids: TemplateIds
    list_id: Annotated[Id, Field(description="The contact list it is sent to.")]
    sender: Annotated[ChosenSender, Field(description="Whom it comes from.")]
    from_name: Annotated[Name, Field(description="The sender's name that recipients see.")]
    reply_to: Annotated[EmailAddress | None, Field(description="Where answers go; null for the sender.")] = None
    recipients: Annotated[Recipients, Field(description="Which contacts of the list get it; by default all.")] = (
        _EVERYONE
    )
    tracking: Annotated[CampaignTracking, Field(description="What is tracked.")] = "off"
    tracking_domain: Annotated[
        TrackingDomain | None, Field(description="A host name of your own for tracked links; null for the platform's.")
    ] = None
    unsubscribe_link: Annotated[bool, Field(description="Whether the platform adds a link to unsubscribe.")] = True


class NewCampaign(CampaignContent):
    """A campaign to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "template_ids": [255201],
                    "list_id": 418801,
                    "sender": _SENDER,
                    "from_name": "Example 新闻",
                    "reply_to": "service@example.com",
                    "schedule": {"mode": "hold"},
                    "tracking": "opens_and_clicks",
                }
            ]
        }
    )

    schedule: Annotated[Schedule, Field(description="When it is sent.")]


class CampaignChanges(Changes):
    """The fields of a campaign to change. Without `schedule` it is sent when it would have been."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"from_name": "Example News"}, {"schedule": {"mode": "at", "at": "2026-03-02T09:30:00+08:00"}}]
        }
    )

    template_ids: TemplateIds = Field(default_factory=list)
    list_id: Annotated[Id, Field(description="The contact list it is sent to.")] = 0
    sender: Annotated[ChosenSender, Field(description="Whom it comes from.")] = ChosenSender(type="any")
    from_name: Annotated[Name, Field(description="The sender's name that recipients see.")] = ""
    reply_to: Annotated[EmailAddress | None, Field(description="Where answers go; null for the sender.")] = None
    schedule: Annotated[Schedule, Field(description="Holds the campaign (`hold`) or releases it (`now`, `at`).")] = (
        Schedule(mode="hold")
    )
    recipients: Annotated[
        Recipients,
        Field(
            description="Needed unless the campaign was created here and its range is known to begin with the first"
            " contact: the platform does not tell where a range begins, and widens what is not named."
        ),
    ] = _EVERYONE
    tracking: Annotated[CampaignTracking, Field(description="What is tracked.")] = "off"
    tracking_domain: Annotated[
        TrackingDomain | None, Field(description="A host name of your own for tracked links; null for the platform's.")
    ] = None
    unsubscribe_link: Annotated[bool, Field(description="Whether the platform adds a link to unsubscribe.")] = True
