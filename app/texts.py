"""Sentences for people that can be told in their language."""

from typing import Any


class Text(str):
    """A sentence in English that knows its template and values, by which a catalogue translates it."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, Any]

    def __reduce__(self) -> Any:
        """Copy and pickle as what it was made of."""
        return _rebuilt, (self.template, self.values)


def sentence(template: str, /, **values: Any) -> Text:
    """Return `template` with its named values put in; values that are texts are translated with it."""
    made = Text(template.format_map(values))
    made.template, made.values = template, values
    return made


def _rebuilt(template: str, values: dict[str, Any]) -> Text:
    return sentence(template, **values)
