"""Chapter 4, file imports: 4.9.3, 4.9.4 and 4.15."""

from app.sandbox.context import Context, find, read_number
from app.sandbox.dialect import SandboxReply, cdata, document, group, leaf, padded, result
from app.sandbox.errors import PlatformError
from app.sandbox.models import FileImport
from app.sandbox.times import stamp


def ml_addr_add_file(context: Context) -> SandboxReply:
    """4.9.3: take a file for later; ``data`` is the number to ask with."""
    item = find(context.state.lists, context.required("list_id"))
    files = context.files()
    if not files or not files[0].content:
        raise PlatformError("file_error")
    number = context.state.ids.take("import")
    job = FileImport(number, item.id, item.subject, files[0].filename, files[0].content, context.now)
    context.state.imports[number] = job
    return result("success", number, stray=True)


def ml_addr_add_file_query(context: Context) -> SandboxReply:
    """4.9.4: tell whether a file has been worked off; the second question finds it done, however fast it comes."""
    try:
        job = context.state.imports.get(read_number(context.query("id"), 0))
    except PlatformError:
        return result("error", "参数错误", stray=True)
    if not context.query("id"):
        return result("error", "参数错误", stray=True)
    if job is None:
        return result("not_exist", "不存在id", stray=True)
    if job.status == 0 and job.queried:
        context.state.finish_import(job, context.now)
    job.queried = True
    if job.status == 0:
        return result("no_complete", "正在解析", stray=True)
    return result("success", "解析完成", stray=True)


def ml_addr_add_log(context: Context) -> SandboxReply:
    """4.15: answer all imports, newest first."""
    jobs = sorted(context.state.imports.values(), key=lambda job: job.id, reverse=True)
    log = group("data", (group("address_log", [_parts(job)]) for job in jobs))
    return document(group("result", [padded("status", "success"), log]))


def _parts(job: FileImport) -> str:
    return "".join(
        [
            cdata("filename", job.filename),
            leaf("filepath", f"/usr/local/umail/data/web/mm-ms/cache/{int(job.time.timestamp())}_{job.id}.csv"),
            leaf("time_import", stamp(job.time)),
            leaf("count_all", job.tally.total),
            leaf("count_err_1", job.tally.invalid),
            leaf("count_err_2", job.tally.duplicate),
            leaf("status", job.status),
            cdata("subject", job.list_name),
        ]
    )


OPERATIONS = {
    ("mloperate", "ml-addr-add-file"): ml_addr_add_file,
    ("mloperate", "ml-addr-add-file-query"): ml_addr_add_file_query,
    ("mloperate", "ml-addr-add-log"): ml_addr_add_log,
}
