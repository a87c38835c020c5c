"""How the reads of templates are tried out."""

from app.api.pagination import Collection
from app.gateway.checks import NOTHING, TEMPLATE_ID, Check, same
from app.resources.templates.operations import GET, LIST, REVIEW
from app.resources.templates.schemas import Template


def _newest(templates: Collection[Template]) -> list[int]:
    return sorted((template.id for template in templates.data), reverse=True)


CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/templates", tells={TEMPLATE_ID: _newest}),
    Check(operation=GET, by=TEMPLATE_ID, ask=same, path="/v1/templates/{}"),
    Check(operation=REVIEW, by=TEMPLATE_ID, ask=same, path="/v1/templates/{}/review"),
)
