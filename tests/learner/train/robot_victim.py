"""A robot process in small: logs and sends steps until there are enough; killed by its test.

Usage: robot_victim.py SOCKETS LOG STEPS
"""

import sys
import time
from pathlib import Path

import numpy as np

from robot.policy.uplink import Forwarder, StepLog, Uplink
from robot.wire.cursor import Cursor
from robot.wire.log import LogReader, LogWriter
from robot.wire.streams import Endpoints
from robot.wire.transition import Transition


def main(sockets: Path, folder: Path, steps: int) -> int:
    last = LogReader(folder, "steps").last()
    log = StepLog(LogWriter(folder, "steps", {}), time.time_ns, time.monotonic_ns)
    uplink = Uplink(Endpoints("a1", directory=sockets), Cursor(folder, "steps", ("a1", "run")))
    forwarder = Forwarder(log, uplink)
    for index in range(last.index + 1 if last else 0, steps):
        arrays = {"joint_pos": np.full(300, index, np.float32)}
        step = Transition("a1", "run", index, 0, index, 0, True, arrays)
        log.append(step)
        forwarder.send(step)
        time.sleep(0.001)  # the pace of a fast robot; the process is killed somewhere in here
    return 0 if uplink.close(flush_s=30.0) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
