"""A request's body as it arrives: in blocks, then as text."""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.errors import MalformedRequest, Overloaded
from app.policies.shedding import ByteBudget
from app.texts import sentence

_BLOCK = 64 * 1024
_MARK = "\ufeff"


async def chunks(request: Request, idle: float) -> AsyncGenerator[bytes, None]:
    """Read the body as it comes in; what is not asked for stays with the client.

    Args:
        request: whose body to read.
        idle: seconds that it may pause.

    Raises:
        MalformedRequest: it pauses for longer, or the client leaves.
    """
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(idle):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise MalformedRequest(sentence("No part of the body came for {idle:g} seconds.", idle=idle)) from None
            except ClientDisconnect:
                raise MalformedRequest("The body stops before its end.") from None
            if chunk is None:
                return
            yield chunk


@asynccontextmanager
async def spooled(body: AsyncIterator[bytes], spools: ByteBudget) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Count the bytes of a body as long as the context is open; where they are too many it raises `Overloaded`."""
    taken = 0

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal taken
        async for chunk in body:
            if not spools.take(len(chunk)):
                raise no_room()
            taken += len(chunk)
            yield chunk

    try:
        async with aclosing(counted()) as pieces:
            yield pieces
    finally:
        spools.give_back(taken)


def no_room() -> Overloaded:
    """Return what is raised where a body cannot be kept until it is uploaded."""
    return Overloaded("There is no room for the import at the moment; nothing was sent.", headers={"Retry-After": "30"})


async def blocks(pieces: AsyncIterator[bytes], size: int = _BLOCK) -> AsyncGenerator[bytes, None]:
    """Cut a body into blocks of a size, so that neither tiny nor huge chunks cost more than others."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            block = bytes(buffer[:size])
            del buffer[:size]
            yield block
    if buffer:
        yield bytes(buffer)


async def texts(pieces: AsyncIterator[bytes], encoding: str, name: str) -> AsyncGenerator[str, None]:
    """Decode a body; a byte-order mark at its start is dropped.

    Args:
        pieces: the body.
        encoding: Python's name of the encoding.
        name: its name in errors.

    Raises:
        MalformedRequest: bytes that are not in the encoding; what stands before them is returned first.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    breaks, started = 0, False
    async for piece in _with_end(pieces):
        text, whole = _decode(decoder, encoding, piece)
        breaks += text.count("\n")
        if text:
            yield text if started else text.removeprefix(_MARK)
            started = True
        if not whole:
            raise MalformedRequest(
                sentence("The body is not {name} text in line {value}.", name=name, value=breaks + 1)
            )


async def _with_end(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes | None, None]:
    async for piece in pieces:
        yield piece
    yield None


def _decode(decoder: codecs.IncrementalDecoder, encoding: str, piece: bytes | None) -> tuple[str, bool]:
    """Decode a piece, None for the end; returns the text, up to what cannot be decoded, and whether that is all."""
    try:
        return decoder.decode(piece or b"", final=piece is None), True
    except UnicodeDecodeError as error:
        return error.object[: error.start].decode(encoding), False
