"""Writes that go out together: in order, whole, and not later than the loop's next turn."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.api.coalescing import coalescing
from app.outbox import Outbox


class Sink(asyncio.Transport):
    """Takes what is written, as a socket does."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 1000


async def next_turn() -> None:
    await asyncio.sleep(0)


class TestWrites:
    async def test_of_one_moment_go_out_as_one(self) -> None:
        sink = Sink()
        transport = coalescing(sink, Outbox())
        transport.write(b"head")
        transport.write(b"body")
        assert sink.writes == []
        assert transport.get_write_buffer_size() == 1008
        await next_turn()
        assert sink.writes == [b"headbody"]
        assert transport.get_write_buffer_size() == 1000

    async def test_of_several_connections_go_out_in_one_turn(self) -> None:
        outbox, sinks = Outbox(), [Sink(), Sink()]
        for sink in sinks:
            coalescing(sink, outbox).write(b"answer")
        await next_turn()
        assert [sink.writes for sink in sinks] == [[b"answer"], [b"answer"]]

    async def test_that_are_large_do_not_wait(self) -> None:
        sink = Sink()
        transport = coalescing(sink, Outbox())
        transport.write(b"head")
        transport.write(b"x" * 65_536)
        assert sink.writes == [b"head" + b"x" * 65_536]

    async def test_come_before_the_end(self) -> None:
        sink = Sink()
        transport = coalescing(sink, Outbox())
        transport.write(b"answer")
        transport.close()
        assert (sink.writes, sink.closed) == ([b"answer"], True)

    async def test_to_a_connection_that_is_gone_are_dropped(self) -> None:
        outbox, gone, sink = Outbox(), Sink(), Sink()
        for each in (gone, sink):
            coalescing(each, outbox).write(b"answer")
        gone.abort()
        await next_turn()
        assert (gone.writes, sink.writes) == ([], [b"answer"])

    async def test_that_fail_do_not_keep_the_others_back(self) -> None:
        class Failing(Sink):
            def write(self, data: bytes | bytearray | memoryview) -> None:
                raise RuntimeError("the handler is closed")

        outbox, failing, sink = Outbox(), Failing(), Sink()
        with capture_logs() as logs:
            for each in (failing, sink):
                coalescing(each, outbox).write(b"answer")
            await next_turn()
        assert sink.writes == [b"answer"]
        assert [line["event"] for line in logs] == ["not_written"]

    @given(st.lists(st.lists(st.binary(max_size=20) | st.just(b"x" * 40_000), max_size=6), max_size=6))
    async def test_keep_their_order(self, turns: list[list[bytes]]) -> None:
        sink = Sink()
        transport = coalescing(sink, Outbox())
        for writes in turns:
            for data in writes:
                transport.write(data)
            await next_turn()
        assert b"".join(sink.writes) == b"".join(data for writes in turns for data in writes)
