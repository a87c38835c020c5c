"""Public models of the tenant's own account."""

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import PublicModel

ServiceStatus = TypeAliasType(
    "ServiceStatus",
    Annotated[Literal["enabled", "disabled", "unknown"], Field(description="Whether an account may send.")],
)
QuotaType = TypeAliasType(
    "QuotaType",
    Annotated[Literal["total", "daily", "unknown"], Field(description="Whether a quota counts in all or per day.")],
)
DeliveryMode = TypeAliasType(
    "DeliveryMode", Annotated[Literal["remote", "local", "unknown"], Field(description="Whose servers deliver.")]
)


class Account(PublicModel):
    """The account's master data."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 2369,
                    "username": "acme",
                    "company": "安可美贸易有限公司",
                    "contact": "王芳",
                    "phone": "075586670000",
                    "mobile": "13800138000",
                    "email": "wang.fang@acme.example",
                    "im": None,
                    "address": "深圳市南山区科技园1号",
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The account's id.")]
    username: Annotated[str | None, Field(description="The name it logs in with at U-Mail.")]
    company: Annotated[str | None, Field(description="The company's name.")]
    contact: Annotated[str | None, Field(description="Name of the person to contact.")]
    phone: Annotated[str | None, Field(description="Kept as text: leading zeros matter.")]
    mobile: Annotated[str | None, Field(description="Kept as text, as `phone` is.")]
    email: Annotated[str | None, Field(description="The e-mail address to contact.")]
    im: Annotated[str | None, Field(description="Instant-messaging address.")]
    address: Annotated[str | None, Field(description="The postal address.")]


class Service(PublicModel):
    """What the account may send, and until when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "account_id": 2369,
                    "status": "enabled",
                    "quota_type": "total",
                    "delivery_mode": "local",
                    "starts_on": "2026-01-01",
                    "expires_on": "2026-12-31",
                    "quota_available": 84210,
                    "quota_purchased": 100000,
                }
            ]
        }
    )

    account_id: Annotated[int, Field(description="The account's id.")]
    status: Annotated[ServiceStatus | None, Field(description="Whether the account may send.")]
    quota_type: Annotated[QuotaType | None, Field(description="Whether the quota counts in all or per day.")]
    delivery_mode: Annotated[
        DeliveryMode | None,
        Field(description="`local`: the platform's servers deliver; `remote`: the customer's own."),
    ]
    starts_on: Annotated[date | None, Field(description="The first day it may send.")]
    expires_on: Annotated[date | None, Field(description="The last day it may send.")]
    quota_available: Annotated[int | None, Field(description="Mails that may still be sent.")]
    quota_purchased: Annotated[int | None, Field(description="Mails bought in all.")]
