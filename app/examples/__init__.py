"""An example of a front end, plain HTML and `fetch`; the demo serves it."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


def add_dashboard(app: FastAPI) -> None:
    """Serve the dashboard at `/demo`."""

    async def dashboard() -> Response:
        return FileResponse(_FOLDER / "dashboard.html", headers={"Content-Security-Policy": _POLICY})

    app.add_api_route("/demo", dashboard, include_in_schema=False, response_model=None)
    app.mount("/demo", StaticFiles(directory=_FOLDER / "assets"))
