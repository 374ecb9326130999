"""The log: MCAP files that only grow and are whole up to their last record, however they ended.

Each record goes to the operating system in one write before `append` returns, or with others in one
write at the end of a `batch`; chunks are put around records that are there (`part`). A killed
process loses nothing of that; a computer that loses power may lose what the system had not yet put
on its disk (`sync` forces it there).
"""

from robot.wire.log.file import LogFile, Record
from robot.wire.log.names import ABOUT, TRANSITIONS, LogError, log_files
from robot.wire.log.part import Form
from robot.wire.log.reader import LogReader
from robot.wire.log.writer import LogWriter, Rotation

__all__ = [
    "ABOUT",
    "TRANSITIONS",
    "Form",
    "LogError",
    "LogFile",
    "LogReader",
    "LogWriter",
    "Record",
    "Rotation",
    "log_files",
]
