"""The guides' tables: `python -m tests.support.guides` writes them from the code, between their markers."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path
from typing import Any

import typer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.agents.catalogue import TOOLS
from app.agents.tool import routes_by_name
from app.api.languages import catalogue
from app.api.problem_catalogue import EXPLANATIONS
from app.cli.command import app as commands
from app.sandbox.faults import WIRE_KINDS
from app.sandbox.habits import HABITS
from app.settings import Settings
from app.telemetry.metrics import Metrics
from tests.support.conformance import document
from tests.support.running import make_app

ROOT = Path(__file__).parents[2]
GUIDES = tuple(
    ROOT / name
    for name in (
        "README.md",
        "app/README.md",
        "app/sandbox/README.md",
        "helm/README.md",
        "openapi/README.md",
        "openapi/README.zh-CN.md",
        "tests/README.md",
    )
)
"""Everything that is written for readers."""
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

Translation = Callable[[str], str]


def with_tables(text: str) -> str:
    """Return a guide with all its tables as they should be."""
    return _TABLE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[4]}", text)


def tables_in(text: str) -> list[str]:
    """Return the names of a guide's tables."""
    return [found[2] for found in _TABLE.finditer(text)]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def settings() -> str:
    """Return every setting with its default."""
    fields = Settings.model_fields.items()
    rows = [(f"`{name.upper()}`", _default(field), _cell(field.description or "")) for name, field in fields]
    return _table(("setting", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "" if default is None else f"`{default}`"


def resources(translation: Translation = str, heads: Iterable[str] = ("request", "does", "scope", "manual")) -> str:
    """Return every operation of clients, by what it is about."""

    def rows() -> Iterator[tuple[str, ...]]:
        for tag in dict.fromkeys(each["tags"][0] for _, each in _operations(operators=False)):
            yield f"**{translation(tag)}**", "", "", ""
            for line, operation in _operations(operators=False):
                if operation["tags"] == [tag]:
                    called = operation.get("x-upstream-operation") or {}
                    manual = f"{called.get('section', '')} {_code(called.get('do') or called.get('script'))}".strip()
                    yield f"`{line}`", translation(operation["summary"]), _scopes(operation), manual

    return _table(heads, rows())


def operators() -> str:
    """Return every operation of operators."""
    rows = ((f"`{line}`", operation["summary"]) for line, operation in _operations(operators=True))
    return _table(("request", "does"), rows)


def _operations(*, operators: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if path.startswith("/admin") is operators:
                yield f"{method.upper()} {path}", operation


def _scopes(operation: Mapping[str, Any]) -> str:
    """Return the scopes of which one is needed."""
    return ", ".join(sorted({f"`{scope}`" for each in operation["security"] for (scope,) in each.values()}))


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def errors(translation: Translation = str, heads: Iterable[str] = ("status", "code", "what it means")) -> str:
    """Return every problem code."""
    kinds = sorted(EXPLANATIONS, key=lambda kind: kind.status)
    rows = ((str(kind.status), f"`{kind.code}`", translation(EXPLANATIONS[kind])) for kind in kinds)
    return _table(heads, rows)


def event_types(heads: Iterable[str] = ("type", "what has happened")) -> str:
    """Return every type of event."""
    rows = ((f"`{name}`", item["post"]["summary"]) for name, item in document()["webhooks"].items())
    return _table(heads, rows)


def tools() -> str:
    """Return the tools of agents with the scopes they need."""
    routes = routes_by_name(make_app([]).routes)

    def scopes(names: Iterable[str]) -> str:
        operations = {each["operationId"]: each for _, each in _operations(operators=False)}
        needed = {_scopes(operations[routes[name].operation_id or name]).replace(", ", " or ") for name in names}
        return ", ".join(sorted(needed))

    rows = ((f"`{each.name}`", _cell(each.description).partition(". ")[0], scopes(each.routes)) for each in TOOLS)
    return _table(("tool", "what it does", "scopes"), rows)


def metrics() -> str:
    """Return every metric of the gateway's own."""
    families = sorted(text_string_to_metric_families(Metrics().render().decode()), key=lambda each: each.name)
    rows = (
        (
            f"`{each.name.removeprefix('umail_gateway_')}{'_total' * (each.type == 'counter')}`",
            each.type,
            _cell(each.documentation),
        )
        for each in families
        if each.name.startswith("umail_gateway_") and not each.name.endswith("_created")
    )
    return _table(("`umail_gateway_…`", "kind", "tells"), rows)


def cli() -> str:
    """Return every command."""
    group: Any = typer.main.get_command(commands)
    return _table(("command", "does"), _commands(group, "umail-gateway"))


def _commands(group: Any, called: str) -> Iterator[tuple[str, str]]:
    with typer.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if hasattr(command, "list_commands"):
                yield from _commands(command, f"{called} {name}")
            else:
                arguments = [
                    (each.metavar or each.name).upper() for each in command.params if each.param_type_name == "argument"
                ]
                text = re.sub(r"\s+", " ", (command.help or "").split("\n\n")[0])
                yield f"`{' '.join([called, name, *arguments])}`", _cell(text)


def faults() -> str:
    """Return the sandbox's ways to misbehave."""
    rows = (("of the wire", _codes(WIRE_KINDS)), ("of PHP services", _codes(HABITS)))
    return _table(("misbehaviour", "`kind`"), rows)


def licences() -> str:
    """Return the licence of each package that the gateway needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^\w-]", each)[0] for each in project["dependencies"]]
    return _table(("package", "licence"), ((name, _licence(metadata(name))) for name in names))


def _licence(of: PackageMetadata) -> str:
    classified = [each.rpartition(" :: ")[2] for each in of.get_all("Classifier") or () if each.startswith("License")]
    named = [str(of[name]) for name in ("License-Expression", "License") if name in of]
    found: list[str] = [*classified, *reversed(named)]
    return found[-1]


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


_SUBJECTS = {
    "Account": "账号",
    "Contact lists": "联系人分类",
    "Contacts": "联系人",
    "Imports": "导入",
    "Exports": "导出",
    "Subscriptions": "订阅与退订",
    "Templates": "邮件模板",
    "Campaigns": "群发任务",
    "Statistics": "发送统计",
    "Delivery failures": "发送失败地址",
    "Tracking": "跟踪统计",
    "Reports": "任务报告",
    "Domains": "发件域名",
    "Mailboxes": "发件邮箱",
    "Console login": "群发登录页面",
    "Messages": "单封邮件（SMTP 对接发送）",
    "Events": "事件",
    "Webhooks": "Webhook 回调",
    "Service": "网关自身",
}


def _chinese(text: str) -> str:
    return _SUBJECTS.get(text) or catalogue("zh").gettext(text)


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "resources": resources,
    "resources-zh": lambda: resources(_chinese, ("请求", "作用", "权限范围", "平台手册")),
    "operators": operators,
    "errors": errors,
    "errors-zh": lambda: errors(_chinese, ("状态码", "code", "含义")),
    "events": event_types,
    "tools": tools,
    "metrics": metrics,
    "commands": cli,
    "faults": faults,
    "licences": licences,
}


def main() -> None:
    """Write the tables."""
    for path in GUIDES:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
