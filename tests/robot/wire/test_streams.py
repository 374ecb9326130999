import pytest

from robot.clock import NS
from robot.wire.schemas import BY_KIND
from robot.wire.sockets import SOCKET_TYPES
from robot.wire.streams import (
    STREAMS,
    EndpointError,
    Endpoints,
    HealthMeter,
    check_endpoint,
    declared_hz,
    is_local,
    stream,
)

RATES = {"sensors_hz": 200.0, "control_hz": 20.0, "camera_hz": 10.0}
PERIOD_NS = NS // 20


def test_the_table_holds_every_stream_of_the_design():
    assert set(STREAMS) == {
        *("sensors", "command", "operator", "frames", "twin_state"),
        *("transitions", "weights", "telemetry"),
    }


@pytest.mark.parametrize("row", STREAMS.values(), ids=lambda r: r.name)
def test_every_row_is_consistent(row):
    assert row.pattern in (("PUB", "SUB"), ("DEALER", "ROUTER"))
    assert set(row.pattern) <= set(SOCKET_TYPES)
    assert row.high_water > 0
    assert row.when_full
    assert row.kinds
    assert all(kind in BY_KIND for kind in row.kinds)
    assert row.limit == max(BY_KIND[kind].limit for kind in row.kinds)
    assert row.topic == "" or row.topic.startswith("/")
    assert not (row.latest_only and row.pattern[0] == "DEALER"), "an answer must not be dropped"
    assert not row.latest_only or row.high_water == 1
    assert declared_hz(row.name, RATES) >= 0


def test_every_record_travels_on_exactly_one_stream():
    travelled = [kind for row in STREAMS.values() for kind in row.kinds]
    assert sorted(k.__name__ for k in travelled) == sorted(k.__name__ for k in BY_KIND)


def test_sensors_wait_for_two_seconds_of_a_paused_robot_process():
    assert STREAMS["sensors"].high_water >= 2 * RATES["sensors_hz"]


def test_an_unknown_stream_is_refused_with_those_that_exist():
    with pytest.raises(EndpointError, match="unknown stream 'sensor'; streams are sensors, comm"):
        stream("sensor")
    with pytest.raises(EndpointError, match="unknown stream 'frame'"):
        Endpoints("a1", {"frame": "ipc:///tmp/x"})


def test_each_camera_has_an_endpoint_of_its_own(endpoints):
    assert stream("frames-front") is STREAMS["frames"]
    assert endpoints.of("frames-front") != endpoints.of("frames-back")


def test_an_override_replaces_the_default(endpoints):
    given = Endpoints("a1", {"sensors": "tcp://127.0.0.1:5555"}, endpoints.directory)
    assert given.of("sensors") == "tcp://127.0.0.1:5555"
    assert given.of("command") == f"ipc://{endpoints.directory}/a1/command"


def test_the_longest_robot_name_fits_into_the_default_folder():
    assert len(Endpoints("a" * 31).of("transitions").encode()) <= 107


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", "sensors", "ipc://relative", "tcp://host", "tcp://host:0", "tcp://host:65536"),
        *("tcp://host:1:2", "udp://host:1", "tcp://ho st:1", "inproc://", "ipc:///" + "x" * 107),
    ],
)
def test_what_is_no_endpoint_is_refused_by_name(endpoint):
    with pytest.raises(EndpointError) as refused:
        check_endpoint(endpoint)
    assert endpoint in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("ipc:///tmp/x", True),
        ("inproc://x", True),
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://*:1", False),
        ("tcp://192.168.123.10:1", False),
        ("tcp://localhost.example:1", False),
        ("tcp://[::]:1", False),
    ],
)
def test_it_is_known_which_endpoints_stay_on_this_computer(endpoint, local):
    assert is_local(check_endpoint(endpoint)) is local


def fed(count: int, hz: float = 20.0, every: int = 1) -> HealthMeter:
    meter = HealthMeter(hz)
    for i in range(0, count, every):
        meter.seen(i * PERIOD_NS)
    return meter


def test_a_stream_at_its_rate_is_healthy():
    health = fed(100).state(99 * PERIOD_NS)
    assert health.good
    assert health.hz == pytest.approx(20.0, rel=0.03)


def test_a_stream_is_healthy_from_its_first_message_on():
    assert fed(1).state(0).good
    assert fed(3).state(2 * PERIOD_NS).good


def test_a_stream_that_never_spoke_is_not_alive():
    health = HealthMeter(20.0).state(5 * NS)
    assert (health.alive, health.freq_ok, health.age_ns) == (False, False, -1)


def test_a_stream_dies_ten_periods_after_its_last_message():
    meter = fed(100)
    assert meter.state(99 * PERIOD_NS + 10 * PERIOD_NS - 1).alive
    assert not meter.state(99 * PERIOD_NS + 10 * PERIOD_NS).alive
    assert meter.state(99 * PERIOD_NS + 1000 * NS).age_ns == 1000 * NS


@pytest.mark.parametrize(("kept", "fine"), [(19, True), (17, False)])
def test_the_rate_must_be_nine_tenths_of_what_was_declared(kept, fine):
    meter = HealthMeter(20.0)
    for i in range(200):
        if i % 20 < kept:
            meter.seen(i * PERIOD_NS)
    assert meter.state(199 * PERIOD_NS).freq_ok is fine


def test_a_stream_recovers_within_one_window():
    meter = fed(200, every=2)
    assert not meter.state(199 * PERIOD_NS).freq_ok
    for i in range(200, 245):
        meter.seen(i * PERIOD_NS)
    assert meter.state(244 * PERIOD_NS).good


def test_a_slow_stream_is_looked_at_for_ten_periods():
    meter = HealthMeter(1.0)
    for second in range(30):
        meter.seen(second * NS)
    assert meter.state(29 * NS).good


def test_a_flood_does_not_fill_the_memory():
    meter = HealthMeter(20.0)
    for i in range(100_000):
        meter.seen(i)
    assert len(meter._arrivals) <= 120
    assert meter.state(100_000).freq_ok


def test_an_unsound_message_is_seen_in_the_state():
    meter = fed(50)
    meter.seen(50 * PERIOD_NS, valid=False)
    assert not meter.state(50 * PERIOD_NS).valid
    meter.seen(51 * PERIOD_NS)
    assert meter.state(51 * PERIOD_NS).good


def test_a_stream_without_a_rate_is_never_late():
    meter = HealthMeter(0.0)
    assert meter.state(5 * NS).good
    meter.seen(0)
    assert meter.state(5000 * NS).good
