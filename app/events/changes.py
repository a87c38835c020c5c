"""What a resource has become, as events tell it."""

from typing import Any

import orjson
from pydantic import BaseModel

from app.storage.events.log import NewEvent

Resource = dict[str, Any]


def plain(model: BaseModel) -> Resource:
    """Return a resource as it is answered."""
    return model.model_dump(mode="json")


def change(type_: str, name: str, before: Resource | None, after: Resource) -> NewEvent:
    """Return an event that tells a resource's new state, and what its changed fields were before."""
    previous = None
    if before is not None:
        previous = {field: before.get(field) for field, value in after.items() if before.get(field) != value}
    return NewEvent(
        type=type_,
        resource=name,
        data=orjson.dumps(after).decode(),
        previous=None if previous is None else orjson.dumps(previous).decode(),
    )


def longer(looks: int, first: float, longest: float) -> float:
    """Return a wait that has doubled with every look in vain."""
    return float(min(first * 2.0 ** min(looks, 20), longest))
