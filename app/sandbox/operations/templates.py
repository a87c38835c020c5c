"""Chapter 5, templates: 5.2 to 5.8."""

from app.sandbox.context import Context, find, read_number
from app.sandbox.dialect import PlatformError, SandboxReply, cdata, document, group, leaf, padded, result
from app.sandbox.journal import UploadedFile
from app.sandbox.models import Template, TemplateFile
from app.sandbox.times import stamp

ENCODINGS = ("base64", "quoted-printable")
# Words that decide a review, so that a caller can choose its outcome.
RED_WORD, YELLOW_WORD, RED_PASS_WORD = "代开发票", "免费", "red_pass"


def review(context: Context, template: Template) -> tuple[int, str]:
    """Answer a template's review status and colour: checking, rejected, or approved in one of three colours."""
    if context.now < template.updated + context.state.pace.review:
        return -1, ""
    text = template.content + "".join(template.subjects.values())
    for word, verdict in ((RED_WORD, (0, "red")), (RED_PASS_WORD, (1, "red_pass")), (YELLOW_WORD, (1, "yellow"))):
        if word in text:
            return verdict
    return 1, "green"


def add_tpl(context: Context) -> SandboxReply:
    """5.2: make a template of POST parameters and uploaded files; ``data`` is its id."""
    name, subject, content = (context.form(field).strip() for field in ("name", "subject", "content"))
    if not (name and subject and content):
        raise PlatformError("param_error", "name、subject、content 为必要参数")
    template = Template(
        id=context.state.ids.take("template"),
        name=name,
        subjects=_subjects(context, subject),
        content=content,
        text_content=context.form("text_content"),
        encoding=_encoding(context, "base64"),
        created=context.now,
        updated=context.now,
    )
    _attach(context, template, context.files())
    context.state.templates[template.id] = template
    return result("success", template.id)


def _subjects(context: Context, text: str) -> dict[int, str]:
    return {context.state.ids.take("subject"): part.strip() for part in text.split("|") if part.strip()}


def _encoding(context: Context, default: str) -> str:
    encoding = context.text("encoding").strip() or default
    if encoding not in ENCODINGS:
        raise PlatformError("param_error", "encoding 只能为 base64 或者 quoted-printable")
    return encoding


def _attach(context: Context, template: Template, files: list[UploadedFile]) -> None:
    for item in files:
        number = context.state.ids.take("attachment")
        template.attachments[number] = TemplateFile(number, item.filename, item.content)


def get_tpl_status(context: Context) -> SandboxReply:
    """5.3: answer how far the review of a template is."""
    template = find(context.state.templates, context.required_query("tpl_id"))
    status, colour = review(context, template)
    counted = status != -1
    return document(
        group(
            "template",
            [
                leaf("id", template.id),
                leaf("name", template.name),
                padded("status", status),
                leaf("colour", colour),
                leaf("update_date", stamp(template.updated)),
                leaf("size_status", 1 if counted else -1),
                leaf("size", -(-template.size // 1024) if counted else 0),
                leaf("subject", "|".join(template.subjects.values()) + " "),
            ],
        )
    )


def list_tpl(context: Context) -> SandboxReply:
    """5.4: answer all templates, or the one that ``tpl_id`` names."""
    wanted = context.query("tpl_id")
    templates = list(context.state.templates.values())
    if wanted:
        templates = [template for template in templates if template.id == read_number(wanted, 0)]
    return document(group("template_list", (group("template", [_parts(context, item)]) for item in templates)))


def _parts(context: Context, template: Template) -> str:
    return "".join(
        [
            leaf("id", template.id),
            leaf("user_id", context.state.customer_id),
            cdata("name", template.name),
            *(
                group("subject", [leaf("id", number), cdata("name", text)])
                for number, text in template.subjects.items()
            ),
            cdata("content", template.content),
            leaf("content_type", "html"),
            group("attachments", (_attachment(attachment) for attachment in template.attachments.values())),
            leaf("created", stamp(template.created)),
            leaf("updated", stamp(template.updated)),
        ]
    )


def _attachment(attachment: TemplateFile) -> str:
    return group("attachment", [leaf("atta_id", attachment.id), cdata("atta_name", attachment.name)])


def del_tpl(context: Context) -> SandboxReply:
    """5.5: delete a template."""
    template = find(context.state.templates, context.required_query("tpl_id"))
    del context.state.templates[template.id]
    return result("success", "删除模板成功")


def edit_tpl(context: Context) -> SandboxReply:
    """5.6: change the given fields, at least one of name, subject and content; the review starts again."""
    template = find(context.state.templates, context.required("tpl_id"))
    name, subject, content = (context.text(field).strip() for field in ("name", "subject", "content"))
    if not (name or subject or content):
        raise PlatformError("param_error", "name、subject、content 三个参数必须至少有一个")
    encoding = _encoding(context, template.encoding)
    template.name = name or template.name
    template.subjects = _subjects(context, subject) or template.subjects
    template.content = content or template.content
    template.text_content = context.text("text_content") or template.text_content
    template.encoding = encoding
    template.updated = context.now
    return result("success", "修改模板成功")


def tpl_attachment_add(context: Context) -> SandboxReply:
    """5.7: add the uploaded files to a template."""
    template = find(context.state.templates, context.required("tpl_id"))
    if not context.files():
        raise PlatformError("file_error")
    _attach(context, template, context.files())
    template.updated = context.now
    return result("success", "上传附件成功")


def tpl_attachment_del(context: Context) -> SandboxReply:
    """5.8: take one attachment from a template, or all of them, which is the default."""
    template = find(context.state.templates, context.required("tpl_id"))
    wanted = context.text("attachment_id").strip() or "all"
    if wanted == "all":
        template.attachments.clear()
    else:
        del template.attachments[find(template.attachments, wanted).id]
    template.updated = context.now
    return result("success", "删除附件成功")


OPERATIONS = {
    ("template", "add-tpl"): add_tpl,
    ("template", "get-tpl-status"): get_tpl_status,
    ("template", "list-tpl"): list_tpl,
    ("template", "del-tpl"): del_tpl,
    ("template", "edit-tpl"): edit_tpl,
    ("template", "tpl-attachment-add"): tpl_attachment_add,
    ("template", "tpl-attachment-del"): tpl_attachment_del,
}
