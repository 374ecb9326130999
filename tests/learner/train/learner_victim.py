"""A learner in small: ingests until it is killed by its test.

Usage: learner_victim.py SOCKETS LOG
"""

import sys
from pathlib import Path

from learner.train.ingest import Ingest, IngestServer
from robot.wire.log import LogReader, LogWriter
from robot.wire.streams import Endpoints
from robot.wire.transition import Transition


def accept_all(step: Transition) -> None:
    """Every step fits."""


def main(sockets: Path, folder: Path) -> None:
    taken: list[int] = []
    reader = LogReader(folder, "ingest")
    ingest = Ingest(lambda step: taken.append(step.index), accept_all)
    ingest.restore(reader)
    assert taken == list(range(len(taken))), "a restart must hand over what was accepted"
    served = Ingest(lambda step: None, accept_all, LogWriter(folder, "ingest", {}))
    served.restore(reader)
    server = IngestServer(Endpoints("a1", directory=sockets), served)
    while True:
        server.wait(0.1)
        server.poll()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
