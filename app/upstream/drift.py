"""How a reply departs from what was promised: by drift, which is counted, or so that it cannot be used at all."""

from dataclasses import dataclass
from enum import StrEnum


class UnexpectedForm(ValueError):
    """A reply that cannot be what was asked for; the text names the path, never a value."""


class NotWellFormed(UnexpectedForm):
    """The reply is not the XML document that was promised."""


class MissingId(UnexpectedForm):
    """The platform reports that it created something, and not what."""


class UnknownStatus(UnexpectedForm):
    """A status word that is neither success nor plainly an error."""

    def __init__(self, word: str) -> None:
        super().__init__(f'the status word "{word}", which is not known')
        self.word = word


class DriftKind(StrEnum):
    """How a reply departs from the manual and from what was observed."""

    UNKNOWN_ELEMENT = "unknown_element"
    MISSING_ELEMENT = "missing_element"
    UNKNOWN_CODE = "unknown_code"
    UNREADABLE_VALUE = "unreadable_value"
    UNDECODABLE_BYTES = "undecodable_bytes"
    """U+FFFD: a character was lost before the reply was written."""
    REPAIRED_FRAME = "repaired_frame"
    """Something stood before the document or behind its root."""
    REPAIRED_MARKUP = "repaired_markup"
    """A bare `<` or `&`, a stray `]]>` or `;`, a malformed comment or section."""
    REPAIRED_CHARACTER = "repaired_character"
    """HTML entities, surrogate pairs, characters that XML forbids."""
    REPAIRED_ENCODING = "repaired_encoding"
    """The bytes were not in the encoding that was declared."""
    REPAIRED_NAME = "repaired_name"
    """An element in another case."""
    REPAIRED_VALUE = "repaired_value"
    """A number or a time in a form that the manual does not know."""
    REPAIRED_STATUS = "repaired_status"
    """A status word in capitals or with punctuation."""
    UNKNOWN_STATUS = "unknown_status"
    """A status word that nobody knows."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One deviation: its kind and the path of the element."""

    kind: DriftKind
    path: str
