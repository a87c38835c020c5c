"""Why an account is not looked over, or a reply not kept."""


class UnknownOperation(Exception):
    """There is no read of that name."""


class UnknownTenant(Exception):
    """There is no tenant of that id."""


class DestinationRefused(Exception):
    """The tenant's platform is where the gateway must not connect to."""


class NotRecordable(Exception):
    """A reply is not kept; the text says why and quotes nothing of it."""
