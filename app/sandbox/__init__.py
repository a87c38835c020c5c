"""A stateful stand-in for the U-Mail service: its manual's operations over real sockets, habits and faults included.

It imports nothing from the rest of the application.
"""

from app.sandbox.faults import Fault
from app.sandbox.journal import ReceivedCall, UploadedFile
from app.sandbox.models import Account
from app.sandbox.server import Sandbox
from app.sandbox.smtp import ReceivedMessage
from app.sandbox.state import AccountState
from app.sandbox.times import DEMO_PACE, Pace

__all__ = [
    "DEMO_PACE",
    "Account",
    "AccountState",
    "Fault",
    "Pace",
    "ReceivedCall",
    "ReceivedMessage",
    "Sandbox",
    "UploadedFile",
]
