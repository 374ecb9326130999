"""A second opinion on a log file, by the reader of MCAP's own project."""

from __future__ import annotations

import struct
from pathlib import Path

from mcap.exceptions import EndOfFile, McapError
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader

from launch.logs.survey import Survey

FEW = 50_000  # messages that it reads in a few seconds


def second_opinion(found: Survey) -> str:
    """What it says against a file of which a survey found nothing bad; "" when it agrees.

    It reads every message where there are few; of a longer file it reads the summary.

    Raises:
        OSError: when the file cannot be read.
    """
    try:
        if found.closed and (told := _summary(found)):
            return told
        return _messages(found) if found.count <= FEW else ""
    except (McapError, ValueError, KeyError, struct.error) as error:
        return f"the official reader refuses it: {type(error).__name__} {error}".rstrip()


def _summary(found: Survey) -> str:
    with open(found.path, "rb") as file:
        summary = make_reader(file, validate_crcs=True).get_summary()
    if summary is None or summary.statistics is None:
        return "the official reader finds no summary"
    counts = summary.statistics.channel_message_counts
    theirs = {summary.channels[number].topic: count for number, count in counts.items()}
    mine = {topic: tally.count for topic, tally in found.topics.items()}
    for topic in sorted(theirs.keys() | mine.keys()):
        if theirs.get(topic, 0) != mine.get(topic, 0):
            said = f"{theirs.get(topic, 0)} messages on {topic}"
            return f"its summary tells of {said}; there are {mine.get(topic, 0)}"
    return ""


def _messages(found: Survey) -> str:
    count = _count(found.path, found.closed)
    return "" if count == found.count else f"the official reader finds {count} of {found.count}"


def _count(path: Path, closed: bool) -> int:
    count = 0
    with open(path, "rb") as file:
        try:
            for record in StreamReader(file, validate_crcs=True).records:
                count += isinstance(record, Message)
        except (EndOfFile, struct.error):  # it ends, somewhere
            if closed:
                raise
    return count
