"""Public models of a list's exports."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.types import PublicModel


class ExportedContact(PublicModel):
    """A contact of a list, as far as an export tells."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "li.na@example.com", "name": "李娜"}]})

    email: Annotated[str, Field(description="The contact's e-mail address.")]
    name: Annotated[str | None, Field(description="The contact's name.")]


class Unsubscribe(PublicModel):
    """An address that left a list."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"unsubscribed_at": "2026-03-02T09:30:00+08:00", "email": "li.na@example.com"}]}
    )

    unsubscribed_at: Annotated[datetime | None, Field(description="null where the platform gives no readable time.")]
    email: Annotated[str, Field(description="The address that left.")]
