"""Bodies whose fields tenants files have too."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from app.admin.schemas import NewApiKey, NewTenant, TenantChanges
from app.tenants.models import UpstreamAccount


def _strictly(model: type[BaseModel]) -> BeforeValidator:
    """Read a model without taking one JSON type for another.

    In a tenants file that is done: what variables of the environment put into it is text, whatever it means.
    """

    def read(value: Any) -> Any:
        # Only of JSON text is it known that a list can mean nothing but a set, say, or a text nothing but a time.
        return model.model_validate_json(json.dumps(value), strict=True) if isinstance(value, dict) else value

    return BeforeValidator(read)


NewTenantBody = Annotated[NewTenant, _strictly(NewTenant)]
TenantChangesBody = Annotated[TenantChanges, _strictly(TenantChanges)]
NewApiKeyBody = Annotated[NewApiKey, _strictly(NewApiKey)]
LoginBody = Annotated[UpstreamAccount, _strictly(UpstreamAccount)]
