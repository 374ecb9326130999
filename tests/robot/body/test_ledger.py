import json
import threading

import pytest

from robot.body.ledger import Latencies, LedgerWriter, write_whole


def test_percentiles_are_those_of_the_latest():
    made = Latencies(keep=100)
    assert made.report() == {"p50": 0.0, "p99": 0.0}
    for latency_ms in [1000] * 50 + list(range(1, 101)):
        made.note(latency_ms * 1_000_000)
    assert made.report()["p50"] == pytest.approx(50.5)
    assert made.report()["p99"] == pytest.approx(99.01)


def test_the_ledger_is_written_while_the_work_goes_on_and_once_more_at_its_end(tmp_path):
    path, collected, said = tmp_path / "run" / "body.json", threading.Event(), {"ticks": 1}

    def collect() -> dict[str, int]:
        collected.set()
        return dict(said)

    with LedgerWriter(path, collect, period_s=0.01):
        assert collected.wait(10)
        said["ticks"] = 2
    assert json.loads(path.read_text()) == {"ticks": 2}
    assert [p.name for p in path.parent.iterdir()] == ["body.json"]


def test_the_last_ledger_is_written_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), LedgerWriter(tmp_path / "body.json", lambda: {"ticks": 3}):
        raise RuntimeError
    assert json.loads((tmp_path / "body.json").read_text()) == {"ticks": 3}


def test_a_full_disk_is_said_once_and_stops_nobody(tmp_path, monkeypatch, caplog):
    def fail(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("robot.body.ledger.write_whole", fail)
    with LedgerWriter(tmp_path / "body.json", dict) as writer:
        writer._write(tmp_path / "body.json")
    assert [r.message for r in caplog.records] == [
        f"cannot write {tmp_path}/body.json: No space left on device"
    ]


def test_without_a_run_nothing_is_written(tmp_path):
    with LedgerWriter(None, dict):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "old")
    with path.open() as reader:
        write_whole(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
