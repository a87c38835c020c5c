"""What texts may hold, in the words of JSON Schema; the checks themselves are in `app.api.types`.

The patterns are for readers of the OpenAPI document, and keep to what regular expressions mean everywhere.
"""

from typing import Any

from pydantic import Field

_LINE_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff"
_TEXT_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff"


def described(*, lines: bool = False, without: str = "", visible: str | None = None) -> Any:
    """Return an annotation that describes a text by a pattern and checks nothing.

    Args:
        lines: whether it may have several lines.
        without: characters it must not hold, as they stand in a character class.
        visible: if it must hold a character besides blanks, further characters beside which it must hold one.
    """
    refused = f"{_TEXT_CONTROLS if lines else _LINE_CONTROLS}{without}"
    pattern = f"^[^{refused}]*$" if visible is None else rf"^[^{refused}]*[^\s{refused}{visible}][^{refused}]*$"
    return Field(json_schema_extra={"pattern": pattern})
