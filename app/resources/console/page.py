"""The login form as a web page: no script, nothing loaded, and a policy that lets nothing else happen on it."""

import base64
import hashlib
from html import escape
from string import Template
from urllib.parse import quote, urlsplit

from starlette.responses import HTMLResponse, Response

from app.resources.console.schemas import LoginField, LoginForm, LoginOption, UserType, origin_of

_LABELS: dict[UserType, str] = {"customer": "Customer", "agents": "Agent", "manager": "Manager"}

_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0; padding: 1rem; }
main { max-width: 22rem; margin: 4vh auto; }
h1 { font-size: 1.5rem; }
label { display: block; margin-top: 1rem; }
input, select, button { box-sizing: border-box; width: 100%; min-height: 2.75rem; padding: .5rem; font: inherit; }
button { margin-top: 1.5rem; cursor: pointer; }
:focus-visible { outline: .2rem solid Highlight; outline-offset: .1rem; }
"""

_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>U-Mail console login</title>
<style>$style</style>
</head>
<body>
<main>
<h1>U-Mail console login</h1>
<p>You log in at <strong>$host</strong>, and your password is sent only there.</p>
<form action="$action" method="post" accept-charset="utf-8">
$errurl<label for="username">User name</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" \
required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<label for="user_type">Log in as</label>
<select id="user_type" name="user_type">
$options</select>
<button type="submit" name="Submit" value="$submit">Log in</button>
</form>
</main>
</body>
</html>
""")
_ERRURL = Template('<input type="hidden" name="errurl" value="$value">\n')
_OPTION = Template('<option value="$value"$selected>$label</option>\n')
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")


def login_page(form: LoginForm) -> Response:
    """Return the form as an HTML page with its security headers."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": _content_security_policy(form),
        "Vary": "Accept",
    }
    return HTMLResponse(_render(form), headers=headers)


def _render(form: LoginForm) -> str:
    fields = {field.name: field for field in form.fields}
    errurl = fields["errurl"].value
    return _PAGE.substitute(
        style=_STYLE,
        host=escape(urlsplit(form.action).netloc),
        action=escape(form.action),
        errurl=_ERRURL.substitute(value=escape(errurl)) if errurl else "",
        options="".join(_options(fields["user_type"])),
        submit=escape(fields["Submit"].value or ""),
    )


def _options(field: LoginField) -> list[str]:
    return [
        _OPTION.substitute(
            value=escape(option.value),
            selected=" selected" if option.value == field.value else "",
            label=escape(_LABELS[option.user_type]),
        )
        for option in field.options or []
    ]


def _content_security_policy(form: LoginForm) -> str:
    # Browsers hold the redirect after a wrong login against form-action too, so the way back must be in it.
    errurl = next((field.value for field in form.fields if field.name == "errurl"), None)
    action = urlsplit(form.action)
    targets = [quote(f"{action.scheme}://{action.netloc}", safe=":/[]"), *([origin_of(errurl)] if errurl else [])]
    directives = [
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        f"form-action {' '.join(dict.fromkeys(targets))}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    return "; ".join(directives)


_PATH = "/sendstat/?module=base&action=login"
_VALUES: dict[UserType, str] = {"customer": "", "agents": "agents", "manager": "manager"}


def login_form(base_url: str, *, user_type: UserType, errurl: str | None) -> LoginForm:
    """Describe the login form of the platform that a tenant's account lives on.

    Args:
        errurl: where the platform sends the browser after a wrong login; by default to a page of its own.
    """
    parts = urlsplit(base_url)
    options = [LoginOption(user_type=kind, value=value) for kind, value in _VALUES.items()]
    fields = [
        LoginField(name="username", type="text", required=True),
        LoginField(name="password", type="password", required=True),
        LoginField(name="user_type", type="select", required=True, value=_VALUES[user_type], options=options),
        LoginField(name="errurl", type="hidden", required=False, value=errurl),
        LoginField(name="Submit", type="submit", required=False, value="提交"),
    ]
    return LoginForm(action=f"{parts.scheme}://{parts.netloc}{_PATH}", method="POST", fields=fields)
