"""Log lines: whole, valid JSON, and never the reason why a request fails."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.telemetry.logs import configure_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    configure_logging("DEBUG", io.StringIO())


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestLines:
    def test_our_events_and_those_of_libraries_have_one_form(self) -> None:
        stream = io.StringIO()
        configure_logging("INFO", stream)
        structlog.get_logger("ours").info("happened", name="新闻")
        logging.getLogger("theirs").info("happened")

        ours, theirs = lines(stream)
        assert (ours["event"], ours["level"], ours["name"]) == ("happened", "info", "新闻")
        assert ours.keys() - {"name"} == theirs.keys() == {"event", "level", "timestamp"}

    def test_what_is_less_severe_than_the_level_is_left_out(self) -> None:
        stream = io.StringIO()
        configure_logging("WARNING", stream)
        structlog.get_logger("ours").info("happened")
        structlog.get_logger("ours").error("failed")

        assert [line["event"] for line in lines(stream)] == ["failed"]

    def test_half_a_surrogate_pair_is_written_as_its_escape(self) -> None:
        raw = io.BytesIO()
        configure_logging("INFO", io.TextIOWrapper(raw, encoding="utf-8"))
        structlog.get_logger("ours").info("happened", name="\udc80")

        assert json.loads(raw.getvalue())["name"] == "\udc80"

    def test_a_stream_that_cannot_write_what_is_said_fails_nobody(self) -> None:
        raw = io.BytesIO()
        configure_logging("INFO", io.TextIOWrapper(raw, encoding="ascii"))
        structlog.get_logger("ours").info("happened", name="新闻")
        structlog.get_logger("ours").info("happened", name="News")

        assert json.loads(raw.getvalue())["name"] == "News"

    def test_a_stream_that_cannot_be_written_fails_nobody(self) -> None:
        stream = io.StringIO()
        configure_logging("INFO", stream)
        stream.close()

        structlog.get_logger("ours").info("happened")

    def test_what_json_does_not_know_is_written_as_text(self) -> None:
        stream = io.StringIO()
        configure_logging("INFO", stream)
        structlog.get_logger("ours").info("happened", what={1})

        assert lines(stream)[0]["what"] == "{1}"
