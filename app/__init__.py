"""umail-gateway: a typed REST/JSON gateway in front of the U-Mail XML-over-HTTP API."""

__version__ = "1.0.0"
"""Of everything: package, API document, image, chart and command; its major number is that of the API's path."""
