"""The latched safety state machine: what the motors may do, whatever anybody asks for.

    disconnected -> limp -> rising -> ready -> active -> {hold, damping, stopped}

limp: no torque. rising: soft start at the measured pose. ready: stands there. active: follows
commands. hold: keeps its pose until what was missing returns, for a while. damping and stopped
are latched: only an operator's "resume" leaves them, through rising.
"""

from __future__ import annotations

from robot.clock import NS
from robot.config import RobotConfig

POWERED = frozenset({"rising", "ready", "active", "hold"})
LATCHED = frozenset({"damping", "stopped"})


class Guard:
    """Holds the safety state. Knows nothing of joints: others find the faults, it reacts.

    Attributes:
        state: name of the state, as in `Status.state`.
        reason: why the robot is in it; a warning while it is active; "" while all is well.
        gain: share of kp that the motors may have, in [0, 1].
        seeds: goes up whenever filter and interpolator must start anew at the measured pose.
        counts: how often each fault was seen.
        refusal: why the operator's last word was refused, "" when it was obeyed.
    """

    def __init__(self, config: RobotConfig) -> None:
        safety = config.safety
        self.state = "disconnected"
        self.reason = ""
        self.gain = 0.0
        self.seeds = 0
        self.refusal = ""
        self.counts: dict[str, int] = {}
        self._rising_ns = round(safety.rising_s * NS)
        self._hold_ns = round(safety.hold_s * NS)
        self._stale_ns = round(safety.command_stale_periods * NS / config.control.control_hz)
        self._deadman_ns = None if safety.deadman_s is None else round(safety.deadman_s * NS)
        self._bad_allowed = safety.bad_commands
        self._since_ns = 0
        self._alive_ns = -NS * 3600
        self._command_ns = 0
        self._fault_ns = 0
        self._fault = ""
        self._bad = 0
        self._paused = False
        self._was_active = False

    @property
    def powered(self) -> bool:
        """Whether the motors hold a pose."""
        return self.state in POWERED

    def connected(self, now_ns: int) -> None:
        """The device is open and its motors are limp."""
        if self.state == "disconnected":
            self._enter("limp", now_ns, "")

    def disconnected(self, now_ns: int) -> None:
        """The device is closed."""
        self._enter("disconnected", now_ns, "")

    def sensed(self, now_ns: int, fault: str) -> None:
        """Once per inner tick: what is wrong with the sensors, "" for nothing."""
        if fault:
            self._blind(now_ns, fault)
        elif self._fault:
            self._fault = ""
        if self.powered and self._let_go(now_ns):
            self.stop(now_ns, "dead-man switch was let go")
        if self.state == "active":
            if now_ns - self._command_ns > self._stale_ns:
                self.count("command_stale")
                self._hold(now_ns, f"commands are stale, older than {self._stale_ns / 1e6:g} ms")
        elif self.state == "hold":
            self._wait(now_ns)
        elif self.state == "rising":
            self._rise(now_ns)
        elif self.state == "limp" and not self._why_not_start(now_ns):
            self._start(now_ns)

    def danger(self, now_ns: int, reason: str) -> None:
        """Something that only damping answers: too hot, too fast, fallen. Latched."""
        if self.powered:
            self.count("danger")
            self._enter("damping", now_ns, reason)

    def warn(self, warning: str) -> None:
        """Tell of something that needs no reaction yet; "" takes a warning back."""
        if self.state in ("ready", "active"):
            if warning and not self.reason:
                self.count("warning")
            self.reason = warning

    def command(self, now_ns: int, fault: str) -> bool:
        """A command came; `fault` says why it must be refused. Whether the servo follows it."""
        if fault:
            self._refuse(now_ns, fault)
            return False
        self._bad = 0
        if self.state == "active":
            self._command_ns = now_ns
            return True
        if self.state == "ready" or self._may_return():
            self._command_ns = now_ns
            self._was_active = True
            self.seeds += 1
            self._enter("active", now_ns, "")
            return True
        self.count("command_ignored")
        return False

    def stop(self, now_ns: int, reason: str) -> None:
        """Stopped, latched, whatever the state was."""
        self.refusal = ""
        self._enter("stopped", now_ns, reason)

    def pause(self, now_ns: int, reason: str) -> None:
        """Hold until resumed; a robot that is still limp stays so."""
        may = self.powered or self.state == "limp"
        self.refusal = "" if may else f"not paused: {self.state}"
        if may:
            self._paused = True
            if self.powered:
                self._hold(now_ns, reason)
            self.reason = reason

    def resume(self, now_ns: int) -> None:
        """Leave hold, damping or stopped through a soft start, if the sensors can be trusted."""
        self.refusal = ""
        if self.state == "limp" or self.state == "hold" or self.state in LATCHED:
            self._paused = False
            missing = self._why_not_start(now_ns)
            if missing:
                self.reason = self.refusal = f"not resumed: {missing}"
            else:
                self._start(now_ns)

    def alive(self, now_ns: int) -> None:
        """The dead-man switch is held."""
        self.refusal = ""
        self._alive_ns = now_ns

    def count(self, what: str, times: int = 1) -> None:
        """Add to a count."""
        self.counts[what] = self.counts.get(what, 0) + times

    def _enter(self, state: str, now_ns: int, reason: str) -> None:
        self.state = state
        self.reason = reason
        self._since_ns = now_ns
        if state in LATCHED:
            self._paused = False

    def _let_go(self, now_ns: int) -> bool:
        return self._deadman_ns is not None and now_ns - self._alive_ns > self._deadman_ns

    def _why_not_start(self, now_ns: int) -> str:
        if self._fault or self._paused:
            return self._fault or "paused"
        return "dead-man switch is not held" if self._let_go(now_ns) else ""

    def _start(self, now_ns: int) -> None:
        self.seeds += 1
        self.gain = 0.0
        self._bad = 0
        self._paused = False
        self._was_active = False
        self._enter("rising", now_ns, "")

    def _rise(self, now_ns: int) -> None:
        self.gain = min(1.0, (now_ns - self._since_ns) / self._rising_ns)
        if self.gain >= 1.0:
            self._enter("ready", now_ns, "")

    def _hold(self, now_ns: int, reason: str) -> None:
        if self.state != "hold":
            self._enter("hold", now_ns, reason)

    def _blind(self, now_ns: int, fault: str) -> None:
        if not self._fault:
            self.count("sensor_fault")
            self._fault_ns = now_ns
        self._fault = fault
        if self.powered:
            self._hold(now_ns, fault)
        elif self.state == "limp":
            self.reason = fault

    def _wait(self, now_ns: int) -> None:
        """In hold: return where nothing is missing any more, give up after a while."""
        if self._fault and now_ns - self._fault_ns > self._hold_ns:
            self._enter("damping", now_ns, self._fault)
        elif self._paused:
            return
        elif now_ns - self._since_ns > self._hold_ns:
            self._enter("damping", now_ns, self.reason)
        elif not self._fault and not self._was_active:
            self._start(now_ns)

    def _may_return(self) -> bool:
        """Whether a good command leads out of hold: it had been active, and nobody paused it."""
        return self.state == "hold" and self._was_active and not self._paused and not self._fault

    def _refuse(self, now_ns: int, fault: str) -> None:
        self.count("command_refused")
        self._bad += 1
        if self._bad >= self._bad_allowed and self.powered:
            self._enter("damping", now_ns, f"{self._bad} bad commands in a row, last: {fault}")
