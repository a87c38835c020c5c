"""umail-gateway: a typed REST/JSON gateway in front of the U-Mail XML-over-HTTP API."""
