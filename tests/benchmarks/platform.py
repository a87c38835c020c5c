"""A platform that writes any number of failed addresses as fast as they are taken, in a process of its own."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

BLOCK = 500
OPENING = b'<?xml version="1.0" encoding="UTF-8"?>\n<fail_recipient_list>\n'
CLOSING = b"</fail_recipient_list>\n"
_PLACE = b"########"
_RECORD = b"""    <recipient>
        <email>reader%03d.########@example.com</email>
        <type>%d</type>
        <task_id>%d</task_id>
    </recipient>
"""
_TYPES = (1, 2, 3, 5, 8, 9)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
_WANTED = re.compile(rb"[?&]task_id=(\d+)")


def document(records: int) -> Iterator[bytes]:
    """Yield an export of so many records, no two alike, in blocks of some 64 KiB."""
    template = [_RECORD % (number, _TYPES[number % 6], 1036770 + number % 7) for number in range(BLOCK)]
    whole = b"".join(template)
    yield OPENING
    for block in range(-(-records // BLOCK)):
        left = records - block * BLOCK
        part = whole if left >= BLOCK else b"".join(template[:left])
        yield part.replace(_PLACE, b"%08d" % block)
    yield CLOSING


def run(control: Connection) -> None:
    """Serve; sends the port, and then, for every export, when its first block was written (`time.monotonic`)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        control.send(server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, control), daemon=True).start()


def _serve(connection: socket.socket, control: Connection) -> None:
    with connection, suppress(ConnectionError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while True:
            while b"\r\n\r\n" not in request:
                received = connection.recv(65_536)
                if not received:
                    return
                request += received
            wanted = _WANTED.search(request)
            _write(connection, int(wanted[1]) if wanted else 0, control)
            request = b""


def _write(connection: socket.socket, records: int, control: Connection) -> None:
    connection.sendall(_HEAD)
    blocks = document(records)
    opening = next(blocks)
    for number, block in enumerate(blocks):
        data = opening + block if number == 0 else block
        if number == 0:
            control.send(time.monotonic())
        connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))
    connection.sendall(b"0\r\n\r\n")
