"""The way of a request from the socket to what answers it, in one flat piece: every answer pays for every step."""
