"""Tools for templates and sending domains."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.agents.api import Refused, ToolApi
from app.agents.lookups import PageNumber, PageSize, page_of
from app.agents.tool import Tool
from app.api.types import DomainName, Id, Name, PublicModel, RequestModel
from app.gateway.pages import Collection, Page
from app.resources.domains.schemas import AddedDomain, DomainVerification
from app.resources.templates.schemas import Html, PlainText, Subjects, Template, TemplateReview

_LONGEST_HTML = 20_000


class ListTemplates(RequestModel):
    """Which templates."""

    template_id: Annotated[
        Id | None, Field(description="Only this one, with its review and the beginning of its HTML.")
    ] = None
    page: PageNumber = 1
    page_size: PageSize = 20


class TemplateSummary(PublicModel):
    """A template, without its content unless it was asked for alone."""

    id: Annotated[int, Field(description="The template's id.")]
    name: Annotated[str | None, Field(description="The template's name; recipients do not see it.")]
    subjects: Annotated[list[str], Field(description="Its subjects, of which each message gets one.")]
    attachments: Annotated[list[str | None], Field(description="Names of the files attached.")]
    updated_at: Annotated[datetime | None, Field(description="When it was last changed.")]
    review: Annotated[
        TemplateReview | None, Field(description="The platform's review; only an approved template can be sent.")
    ] = None
    html: Annotated[str | None, Field(description=f"The first {_LONGEST_HTML} characters of the message.")] = None
    html_is_whole: Annotated[bool | None, Field(description="Whether that is all of it.")] = None


def _summary(template: Template, review: TemplateReview | None = None, *, content: bool = False) -> TemplateSummary:
    return TemplateSummary(
        id=template.id,
        name=template.name,
        subjects=template.subjects,
        attachments=[each.name for each in template.attachments],
        updated_at=template.updated_at,
        review=review,
        html=(template.html or "")[:_LONGEST_HTML] if content else None,
        html_is_whole=len(template.html or "") <= _LONGEST_HTML if content else None,
    )


async def _list_templates(api: ToolApi, arguments: ListTemplates) -> Page[TemplateSummary]:
    if (wanted := arguments.template_id) is not None:
        template = await api.read(Template, f"/v1/templates/{wanted}")
        summaries = [_summary(template, await _review(api, wanted), content=True)]
        return Page[TemplateSummary](data=summaries, pagination=page_of(summaries, 1, 1)[1])
    templates = list((await api.read(Collection[Template], "/v1/templates")).data)
    chosen, place = page_of(templates, arguments.page, arguments.page_size)
    return Page[TemplateSummary](data=[_summary(each) for each in chosen], pagination=place)


async def _review(api: ToolApi, template_id: int) -> TemplateReview | None:
    try:
        return await api.read(TemplateReview, f"/v1/templates/{template_id}/review")
    except Refused:
        return None


class TemplateToCreate(RequestModel):
    """A template to create."""

    name: Annotated[Name, Field(description="The template's name; recipients do not see it.")]
    subjects: Subjects
    html: Html
    text: Annotated[PlainText | None, Field(description="What is shown where HTML cannot be.")] = None


async def _create_template(api: ToolApi, arguments: TemplateToCreate) -> TemplateSummary:
    body = arguments.model_dump(mode="json", exclude_unset=True)
    template = await api.post(Template, "/v1/templates", body)
    return _summary(template, await _review(api, template.id))


class VerifyDomain(RequestModel):
    """Which domain."""

    domain: Annotated[DomainName, Field(description="The domain's name.")]
    add: Annotated[bool, Field(description="Add it to the account's sending domains first, if it is not there.")] = (
        False
    )


async def _verify_domain(api: ToolApi, arguments: VerifyDomain) -> DomainVerification:
    verified = await _verify(api, arguments.domain)
    if arguments.add and verified.registered is False:
        await api.post(AddedDomain, "/v1/domains", {"domain": arguments.domain})
        verified = await _verify(api, arguments.domain)
    return verified


async def _verify(api: ToolApi, domain: str) -> DomainVerification:
    found = await api.post(Collection[DomainVerification], "/v1/domains/verify", {"domains": [domain]})
    return found.data[0]


CONTENTS = (
    Tool(
        name="list_templates",
        title="List templates",
        description="The templates (contents of campaigns) with their ids and subjects, without HTML. With"
        " `template_id` one template with its review and the beginning of its HTML.",
        arguments=ListTemplates,
        result=Page[TemplateSummary],
        routes=("list_templates", "get_template", "get_template_review"),
        run=_list_templates,
    ),
    Tool(
        name="create_template",
        title="Create a template",
        description="Makes a new template from HTML. The platform reviews it, which takes a while: only an approved one"
        " can be sent; `list_templates` with its id shows the review. Sends nothing.",
        arguments=TemplateToCreate,
        result=TemplateSummary,
        routes=("create_template",),
        run=_create_template,
    ),
    Tool(
        name="verify_domain",
        title="Verify a sending domain",
        description="Has the platform look at a domain's DNS records and tells whether mail can be sent from it; with"
        " `add` the domain is added to the account first if it is not there.",
        arguments=VerifyDomain,
        result=DomainVerification,
        routes=("verify_domains", "add_domain"),
        run=_verify_domain,
    ),
)
