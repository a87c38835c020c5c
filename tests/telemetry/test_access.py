"""The access log's line: the same whether it passes the chain of processors or not."""

import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.gateway.context import Caller, RequestContext, UpstreamCall
from app.telemetry import correlation
from app.telemetry.access import AccessLog
from app.telemetry.logs import configure_logging
from app.telemetry.requests import Finished
from tests.support.tenants import make_tenant

TIME = re.compile(r'"timestamp": ?"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z"')
TEXT = st.text() | st.sampled_from(["\udc80", "新闻", 'a"b\\\n', "\u2028", "\x00"])
FINISHED = st.builds(
    Finished,
    method=TEXT,
    route=TEXT,
    status=st.integers(0, 599) | st.just(2**70),
    aborted=st.none() | TEXT,
    seconds=st.floats(0, 1e6),
)
CALLS = st.lists(
    st.builds(
        UpstreamCall,
        operation=TEXT,
        outcome=TEXT,
        status=st.none() | st.integers(100, 599),
        seconds=st.floats(0, 1e6),
        attempt=st.integers(1, 9),
    ),
    max_size=2,
)


@pytest.fixture(autouse=True, scope="module")
def _as_before() -> Iterator[None]:
    yield
    configure_logging("DEBUG", io.StringIO())


def line_of(context: RequestContext, over: Finished, *, past_the_chain: bool) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    configure_logging("INFO", stream, None if past_the_chain else lambda _logger, _method, event: event)
    AccessLog().write(context, over)
    text, replaced = TIME.subn('"timestamp":"now"', raw.getvalue().decode())
    assert replaced == 1
    return text


@given(context=st.builds(RequestContext, TEXT, TEXT, CALLS), over=FINISHED, fields=st.dictionaries(TEXT, TEXT))
def test_both_ways_write_the_same(context: RequestContext, over: Finished, fields: dict[str, str]) -> None:
    token = correlation.begin(fields)
    try:
        assert line_of(context, over, past_the_chain=True) == line_of(context, over, past_the_chain=False)
    finally:
        correlation.end(token)


class TestOneLine:
    context = RequestContext("order-66", "00-1-2-00")
    over = Finished("GET", "/v1/lists", 200, None, 0.01234)

    def test_says_who_asked_for_what(self) -> None:
        context = RequestContext("order-66", "00-1-2-00")
        tenant = make_tenant()
        context.caller = Caller(tenant, "web", frozenset(), context)
        assert line_of(context, self.over, past_the_chain=True) == (
            '{"request_id":"order-66","traceparent":"00-1-2-00","method":"GET","route":"/v1/lists","status":200,'
            '"aborted":null,"duration_ms":12.34,"tenant":"acme","key":"web","upstream":[],"event":"request",'
            '"level":"info","timestamp":"now"}\n'
        )

    def test_is_left_out_where_the_level_says_so(self) -> None:
        stream = io.StringIO()
        configure_logging("WARNING", stream)
        AccessLog().write(self.context, self.over)
        assert stream.getvalue() == ""

    def test_goes_where_the_chain_goes_once_that_is_changed(self) -> None:
        stream = io.StringIO()
        configure_logging("INFO", stream)
        access = AccessLog()
        with capture_logs() as logs:
            access.write(self.context, self.over)
        assert [line["event"] for line in logs] == ["request"]
        assert stream.getvalue() == ""

    def test_fails_nobody_where_it_cannot_be_written(self) -> None:
        stream = io.StringIO()
        configure_logging("INFO", stream)
        stream.close()
        AccessLog().write(self.context, self.over)
