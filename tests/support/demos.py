"""The demo, run as a newcomer runs it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import lines_until, running


@contextmanager
def running_demo(folder: Path) -> Iterator[dict[str, str]]:
    """Run the demo on free ports; what it printed: url, key, second, sandbox."""
    with running(
        "demo", "--port", "0", "--sandbox-port", "0", folder=folder, UMAIL_GATEWAY_LOG_LEVEL="WARNING"
    ) as process:
        text = "\n".join(lines_until(process.stdout, "Ctrl-C"))
        found = {
            "url": re.search(r"Documentation\s+(\S+)/docs", text),
            "key": re.search(r"API key\s+(umg_\S+)", text),
            "second": re.search(r"Second tenant\s+(umg_\S+)", text),
            "sandbox": re.search(r"Sandbox\s+(http://[^/]+)", text),
        }
        yield {name: match[1] for name, match in found.items() if match} | {"text": text}
