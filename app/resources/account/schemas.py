"""Public models of the tenant's own account."""

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.types import PublicModel


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

    id: int
    username: str | None
    company: str | None
    contact: Annotated[str | None, Field(description="Name of the person to contact.")]
    phone: Annotated[str | None, Field(description="Kept as text: leading zeros matter.")]
    mobile: str | None
    email: str | None
    im: Annotated[str | None, Field(description="Instant-messaging address.")]
    address: str | None


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

    account_id: int
    status: Literal["enabled", "disabled", "unknown"] | None
    quota_type: Annotated[
        Literal["total", "daily", "unknown"] | None, Field(description="Whether the quota counts in all or per day.")
    ]
    delivery_mode: Annotated[
        Literal["remote", "local", "unknown"] | None,
        Field(description="`local`: the platform's servers deliver; `remote`: the customer's own."),
    ]
    starts_on: date | None
    expires_on: date | None
    quota_available: Annotated[int | None, Field(description="Mails that may still be sent.")]
    quota_purchased: Annotated[int | None, Field(description="Mails bought in all.")]
