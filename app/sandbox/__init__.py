"""A stateful stand-in for the U-Mail service: its manual's operations over real sockets, habits and faults included.

It imports nothing from the rest of the application.
"""

from app.sandbox.faults import Fault
from app.sandbox.journal import Call, UploadedFile
from app.sandbox.models import Account
from app.sandbox.server import Sandbox
from app.sandbox.smtp import Message
from app.sandbox.state import AccountState

__all__ = ["Account", "AccountState", "Call", "Fault", "Message", "Sandbox", "UploadedFile"]
