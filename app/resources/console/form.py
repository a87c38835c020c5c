"""The platform's login form (manual 8.1)."""

from urllib.parse import urlsplit

from app.resources.console.schemas import LoginField, LoginForm, LoginOption, UserType

_PATH = "/sendstat/?module=base&action=login"
_VALUES: dict[UserType, str] = {"customer": "", "agents": "agents", "manager": "manager"}


def login_form(base_url: str, *, user_type: UserType, errurl: str | None) -> LoginForm:
    """Describe the login form of the platform that a tenant's account lives on.

    Args:
        base_url: of the tenant's API; the form lives on the same scheme, host and port.
        user_type: the kind of user selected to begin with.
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
