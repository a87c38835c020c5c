"""Asks a gateway how it is: `python -m app.health http://127.0.0.1:8000/healthz`.

For images, which have no curl. It loads next to nothing, because a container runs it every half minute, where the whole
command line would take more than a second of the processor each time.
"""

import http.client
import sys
from urllib.parse import urlsplit


def check(url: str, *, seconds: float = 3.0) -> str | None:
    """Return why a gateway is not well, or nothing if it is."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return f"{url} is not the address of a gateway"
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path or "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} cannot be asked: {str(error) or type(error).__name__}"
    finally:
        connection.close()
    return None if status == 200 else f"{url} answers {status}"


def main() -> None:
    """Ask the gateway whose URL is the one argument; exits with 1 and a reason if it is not well."""
    sys.exit(check(sys.argv[1] if len(sys.argv) > 1 else "nothing"))


if __name__ == "__main__":
    main()
