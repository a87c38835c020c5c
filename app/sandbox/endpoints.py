"""The platform's HTTP side: reading a call, checking who calls, running the operation."""

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import BasicAuth, hdrs, web

from app.sandbox.context import Context
from app.sandbox.dialect import MESSAGES, PlatformError, SandboxReply, result
from app.sandbox.faults import Fault, FaultError, FaultQueue
from app.sandbox.journal import Journal, ReceivedCall, UploadedFile
from app.sandbox.misbehaviour import Exchange, misbehave, to_response
from app.sandbox.operations import LOGIN, NAMES, OPERATIONS
from app.sandbox.state import AccountState, World

FAULT_HEADER = "X-Sandbox-Fault"
LEGACY = "api"

_LOGIN_TYPES = {"": "customer", "customer": "customer", "manager": "manager"}
_SCRIPTS = frozenset(script for script, _do in OPERATIONS)


class Endpoints:
    """The handlers of the platform's URLs."""

    def __init__(self, world: World, faults: FaultQueue, journal: Journal, stopping: asyncio.Event) -> None:
        """Take what all calls share; ``stopping`` ends every wait of a fault."""
        self._world = world
        self._faults = faults
        self._journal = journal
        self._stopping = stopping

    def routes(self) -> list[web.RouteDef]:
        """Answer the routes of both API endpoints and of the console login."""
        return [
            web.route("*", "/mm-ms/{endpoint:api|apinew}/{script}.php", self.operation),
            web.post("/sendstat/", self.login),
        ]

    async def operation(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of chapters 1 to 7."""
        call = await read_call(request)
        state = self._authenticate(request, call)
        if call.script not in _SCRIPTS:
            return web.Response(status=404, text="404 Not Found\n")
        if state is None:
            return await self._exchange(request, call, lambda: _refusal(call))
        call.account = state.account.username
        return await self._exchange(request, call, lambda: self._run(call, state))

    async def login(self, request: web.Request) -> web.StreamResponse:
        """8.1: answer the console's login form: a page, or a redirect to the form's ``errurl`` on a wrong login."""
        call = await read_call(request)
        call.operation = LOGIN
        return await self._exchange(request, call, lambda: self._log_in(call))

    def _authenticate(self, request: web.Request, call: ReceivedCall) -> AccountState | None:
        """Check the credentials: HTTP Basic, or on the legacy endpoint the name and the password's MD5 in the URL."""
        if call.endpoint == LEGACY:
            state = self._world.current(call.query.get("username", ""))
            given = call.query.get("password", "").lower()
            return state if state is not None and given == md5_hex(state.account.password) else None
        try:
            login = BasicAuth.decode(request.headers.get(hdrs.AUTHORIZATION, ""), encoding="utf-8")
        except ValueError:
            return None
        state = self._world.current(login.login)
        return state if state is not None and login.password == state.account.password else None

    def _run(self, call: ReceivedCall, state: AccountState) -> SandboxReply:
        operation = OPERATIONS.get((call.script, "")) or OPERATIONS.get((call.script, call.query.get("do", "")))
        if operation is None:
            return result("do_error", MESSAGES["do_error"])
        call.processed = True
        try:
            return operation(Context(call, self._world, state, self._world.now()))
        except PlatformError as error:
            return result(error.code, error.message)

    def _log_in(self, call: ReceivedCall) -> SandboxReply:
        state = self._world.current(call.form.get("username", ""))
        role = _LOGIN_TYPES.get(call.form.get("user_type", ""))
        known = state is not None and state.account.password == call.form.get("password")
        if state is not None and known and role == state.account.role:
            call.account, call.processed = state.account.username, True
            return SandboxReply("<html><body><h1>登录成功</h1></body></html>\n".encode())
        target = call.form.get("errurl", "")
        if target.startswith(("http://", "https://")):
            return SandboxReply(b"", status=302, headers={"Location": target})
        return SandboxReply("<html><body><h1>用户名或密码错误</h1></body></html>\n".encode())

    async def _exchange(
        self, request: web.Request, call: ReceivedCall, process: Callable[[], SandboxReply]
    ) -> web.StreamResponse:
        """Answer a call, unless a fault meets it; then act that out."""
        self._journal.record(call)
        try:
            fault = self._fault(request, call.operation)
        except FaultError as error:
            return web.json_response({"error": "invalid_fault", "problems": error.problems}, status=422)
        if fault is None:
            return to_response(process())
        call.fault = fault.kind
        return await misbehave(Exchange(request, fault, process, lambda: _refusal(call), self._stopping))

    def _fault(self, request: web.Request, operation: str) -> Fault | None:
        header = request.headers.get(FAULT_HEADER)
        return self._faults.take(operation) if header is None else Fault.from_header(header)


async def read_call(request: web.Request) -> ReceivedCall:
    """Read a whole request; a body that is not what its headers say gives HTTP 400."""
    form: dict[str, str] = {}
    files: list[UploadedFile] = []
    try:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                with value.file as stream:
                    files.append(UploadedFile(name, value.filename, value.content_type, stream.read()))
            else:
                form[name] = value if isinstance(value, str) else bytes(value).decode()
    except (ValueError, LookupError) as error:
        raise web.HTTPBadRequest(text="400 Bad Request\n") from error
    query = dict(request.query)
    script = request.match_info.get("script", "")
    has_do = (script, "") not in OPERATIONS
    return ReceivedCall(
        account=None,
        operation=(query.get("do") or script) if has_do else script,
        script=script,
        method=request.method,
        query=query,
        form=form,
        files=files,
        headers=dict(request.headers),
        endpoint=request.match_info.get("endpoint", "sendstat"),
    )


def check_operation(fault: Fault) -> None:
    """Refuse a fault for an operation that does not exist."""
    if fault.operation is not None and fault.operation not in NAMES:
        raise FaultError([f"unknown operation {fault.operation!r}; known: {', '.join(sorted(NAMES))}"])


def md5_hex(text: str) -> str:
    """Answer the MD5 of a password as the legacy endpoint wants it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _refusal(call: ReceivedCall) -> SandboxReply:
    if call.endpoint == LEGACY:
        return result("auth_error", MESSAGES["auth_error"])
    headers = {"WWW-Authenticate": 'Basic realm="U-Mail API"'}
    return SandboxReply(b"401 Unauthorized\n", status=401, headers=headers)
