"""Public models of sending domains."""

from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.types import DomainName, PublicModel, RequestModel


class SendingDomain(PublicModel):
    """A sending domain."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"customer_id": 2369, "domain": "news.example.com", "is_system": False},
                {"customer_id": None, "domain": "system-mail.example", "is_system": True},
            ]
        }
    )

    customer_id: Annotated[int | None, Field(description="Whose it is; null for a system domain.")]
    domain: Annotated[str | None, Field(description="The domain's name.")]
    is_system: Annotated[bool | None, Field(description="Whether it is the platform's own.")]


class NewDomain(RequestModel):
    """A sending domain to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"domain": "news.example.com"}]})

    domain: Annotated[DomainName, Field(description="The domain's name.")]


class AddedDomain(PublicModel):
    """A sending domain that was added."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": 3213, "domain": "news.example.com", "verified": False}]}
    )

    id: Annotated[int | None, Field(description="null where the platform does not tell.")]
    domain: Annotated[str, Field(description="The domain's name.")]
    verified: Annotated[
        bool | None,
        Field(description="Whether its DNS records are already as the platform wants them; null where it is not told."),
    ]


class DomainsToVerify(RequestModel):
    """Up to 100 domains to check."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"domains": ["news.example.com", "example.org"]}]})

    domains: Annotated[
        list[DomainName], Field(min_length=1, max_length=100, description="Names of domains, added or not.")
    ]


class DomainVerification(PublicModel):
    """What the platform found out about a domain."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": 2369,
                    "domain_id": 3213,
                    "domain": "news.example.com",
                    "registered": True,
                    "verified": True,
                    "status_code": 3,
                    "message": "添加成功并验证通过",
                }
            ]
        }
    )

    customer_id: Annotated[int | None, Field(description="Whose it is.")]
    domain_id: Annotated[int | None, Field(description="null for a domain that was not added.")]
    domain: Annotated[str | None, Field(description="The domain's name.")]
    registered: Annotated[bool | None, Field(description="Whether it was added; null for an unknown code.")]
    verified: Annotated[
        bool | None, Field(description="Whether its DNS records are as the platform wants them; null likewise.")
    ]
    status_code: Annotated[int | None, Field(description="The platform's own code.")]
    message: Annotated[str | None, Field(description="The platform's own words.")]
