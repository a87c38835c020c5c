"""A platform that answers at once, always the same; and what it answers."""

import asyncio
from multiprocessing.connection import Connection
from typing import cast

import uvloop

_ACCOUNT = (
    "<customer><id>2369</id><username>acme</username><company>示例公司</company><contact>王芳</contact>"
    "<phone>010-5550100</phone><mobile>13800000000</mobile><email>info@example.com</email><im></im>"
    "<address>北京市</address></customer>"
)
_CAMPAIGN = """ <task>
  <id>%d</id>
  <sn>20260301115930-2369-55</sn>
  <acct_type>address</acct_type>
  <acct_address>news@example.com</acct_address>
  <sender>news@example.com</sender>
  <replyto>service@example.com</replyto>
  <sender_name><![CDATA[示例新闻]]></sender_name>
  <templates>
   <template><tpl_id>16</tpl_id><tpl_name><![CDATA[春季促销]]></tpl_name></template>
  </templates>
  <addr_type>0</addr_type>
  <listes>
   <item><list_id>78</list_id><list_name><![CDATA[新闻订阅 北京]]></list_name></item>
  </listes>
  <send_qty>0</send_qty>
  <send_qty_remak>1200</send_qty_remak>
  <send_time>2026-03-01 11:59:30</send_time>
  <time_start>0000-00-00 00:00:00</time_start>
  <time_end>0000-00-00 00:00:00</time_end>
  <send_count>0</send_count>
  <error_count>0</error_count>
  <send_status>-1</send_status>
  <track_status>0</track_status>
 </task>
"""
_CONTACT = """ <addr>
  <id>%d</id>
  <list_id>78</list_id>
  <address>reader%d@example.com</address>
  <fullname>王小明</fullname>
  <sex>M</sex>
  <birthday>1990-05-17</birthday>
  <phone>13800000000</phone>
  <area>北京市 北京市</area>
  <time>2026-01-05 10:30:00</time>
  <var1><![CDATA[Professional edition, paid until the end of the year]]></var1>
  <var2><![CDATA[https://www.example.com/customers/1000%d]]></var2>
  <var3></var3>
  <var4></var4>
  <var5></var5>
 </addr>
"""
NONE = "<task_list></task_list>"
"""What is answered where a day's campaigns are asked for."""
_CREATED = "<result><status>success</status><id>7023</id><data>ok</data></result>"


def documents(campaigns: int, contacts: int) -> dict[bytes, str]:
    """Return what is answered, by the operation that is asked for."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    tasks = "".join(_CAMPAIGN % (7000 + number) for number in range(campaigns))
    people = "".join(_CONTACT % (number, number, number) for number in range(1, contacts + 1))
    return {
        b"customer-info": head + _ACCOUNT,
        b"task-list": f"{head}<task_list>\n{tasks}</task_list>",
        b"ml-addr-list": f"{head}<data>\n <total_num>{contacts}</total_num>\n{people}</data>",
        b"add-task": head + _CREATED,
    }


class _Platform(asyncio.Protocol):
    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received = b""
        operation = head.partition(b"do=")[2].partition(b" ")[0].partition(b"&")[0]
        # Whether there is such a campaign already is asked by day.
        answer = self._answers[b"none" if b"&date=" in head.partition(b"\r\n")[0] else operation]
        self._transport.write(answer)


def _length(head: bytes) -> int:
    value = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(value or 0)


def _message(document: str) -> bytes:
    body = document.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def run_upstream(control: Connection) -> None:
    """Be the platform; sends the port."""
    found = {**documents(30, 500), b"none": NONE}
    answers = {operation: _message(document) for operation, document in found.items()}

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Platform(answers), "127.0.0.1", 0, backlog=4096)
        control.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())
