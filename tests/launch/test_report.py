"""Reports: one page that holds everything, tells what was measured, and draws it in its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from launch.report import Media, figure, interval, render_report, write_report
from launch.report_plots import course_plot, interval_plot, nice_ticks

VOID = {"meta", "img", "br", "link"}


def estimate(mean: float, half: float = 0.5) -> dict[str, Any]:
    return {"mean": mean, "spread": half, "low": mean - half, "high": mean + half, "over": "x"}


def condition(name: str, mean: float, passes: bool) -> dict[str, Any]:
    check = {"name": "speed", "figure": mean / 10, "needed": "at least 1", "passes": passes}
    runs = [
        {"name": run, "score": mean + shift, "passed": 1, "passes": passes, "episodes": [{}, {}]}
        for run, shift in (("a", -0.25), ("b", 0.25))
    ]
    return {
        "name": name,
        "kind": name,
        "about": "<b>strong</b>",
        "score": estimate(mean),
        "normalised": estimate(mean / 14, 0.05),
        "passed": estimate(0.5),
        "gate": {"passes": passes, "runs_passed": 2 * passes, "checks": [check]},
        "figures": {"forward_m_s": 0.31},
        "runs": runs,
    }


def run(name: str) -> dict[str, Any]:
    weights = {"version": 3, "updates": 7, "sha256": "ab"}
    return {
        **{"name": name, "path": f"runs/{name}", "system": "reverie", "preset": "cpu", "seed": 0},
        "weights": weights,
    }


@pytest.fixture
def told() -> dict[str, Any]:
    study = {
        "task": "a1 walk",
        "question": "Does it walk?",
        "answer": "Yes",
        "measure": "published reward per step",
        "reference": {"random": 0.0, "target": 14.0, "why": "0 is random play; 1 is walking"},
        "trial": {"seconds": 30.0, "episodes": 2, "seed": 0},
        "conditions": [condition("clean", 13.0, True), condition("push=5", 7.0, False)],
        "course": {"step_s": 0.5, "mean": [1.0, 2.0, 3.0], "low": [0.5] * 3, "high": [3.5] * 3},
        "runs": [run("a"), run("b")],
        "left_out": {"light": "no camera is observed"},
    }
    return {
        "title": "a1 walk",
        "studies": [study],
        "scores": None,
        "method": "as it was",
        "command": "reverie evaluate runs/a runs/b --perturb push=5",
        "versions": {"python": "3.11"},
        "configuration": {"a1": {"seed": 0}},
    }


class Balance(HTMLParser):
    """Notes tags that are not closed in order, and every address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_closes_what_it_opens(told: dict, tmp_path: Path) -> None:
    film = tmp_path / "runs.webm"
    film.write_bytes(b"film")
    media = Media([("0.0 s", b"picture")], [("a, b", film)])
    page = render_report(told, [media])
    reader = Balance()
    reader.feed(page)
    assert reader.open == []
    assert reader.addresses == [
        "data:image/webp;base64,cGljdHVyZQ==",
        "data:video/webm;base64,ZmlsbQ==",
    ]
    assert not re.search(r"https?://|@import|url\(|<script", page)


def test_the_page_tells_what_was_measured_and_escapes_it(told: dict) -> None:
    page = render_report(told, [Media()])
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "Does it walk? Yes." in text
    assert "2 of 4 episodes of 2 runs, 30 s each, pass every check." in text
    assert "Disturbed, runs hold in 0 of 2 cases, 1 conditions each." in text
    assert "13.00" in text and "12.50 to 13.50" in text and "0.31" in text
    assert "Left out: light, for no camera is observed." in text
    assert told["command"] in text and "python 3.11" in text
    assert "&lt;b&gt;strong" in page and "<b>strong" not in page


def test_a_page_is_written_whole_and_again(told: dict, tmp_path: Path) -> None:
    for command in ("first", "second"):
        write_report(tmp_path / "report.html", {**told, "command": command}, [Media()])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert "second" in (tmp_path / "report.html").read_text()


def test_means_and_intervals_are_drawn_in_their_places() -> None:
    row = {"name": "a & b", "mean": 0.5, "low": 0.25, "high": 1.0, "runs": [], "passes": True}
    drawn = ElementTree.fromstring(interval_plot([row], {"random": 0.0, "target": 1.0}, "score"))
    (dot,) = (e for e in drawn.iter("circle"))
    rules = [float(e.get("x1", "")) for e in drawn.iter("line") if e.get("class") == "rule"]
    left, right = min(rules), max(rules)
    assert float(dot.get("cx", "")) == pytest.approx((left + right) / 2, abs=0.1)
    (line,) = (e for e in drawn.iter("line") if "interval" in e.get("class", ""))
    ends = [(float(line.get(key, "")) - left) / (right - left) for key in ("x1", "x2")]
    assert ends == pytest.approx([0.25, 1.0], abs=0.001)
    assert "good" in dot.get("class", "") and drawn.find(".//title") is not None


def test_a_line_over_time_runs_from_edge_to_edge() -> None:
    course = {"step_s": 1.0, "mean": [0.0, 5.0, 10.0], "low": [0.0] * 3, "high": [10.0] * 3}
    drawn = ElementTree.fromstring(course_plot(course, {}, "reward"))
    (line,) = drawn.iter("polyline")
    points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    rules = [float(e.get("y1", "")) for e in drawn.iter("line") if e.get("class") == "rule"]
    assert [y for _, y in points] == pytest.approx(
        [max(rules), (max(rules) + min(rules)) / 2, min(rules)], abs=0.1
    )
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)


def test_ticks_are_round_and_span_what_they_are_asked_to() -> None:
    assert nice_ticks(0.03, 0.97) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(-3, 14) == [-5, 0, 5, 10, 15]
    for low, high in ((0, 0), (5, 5), (-0.001, 0.0005)):
        ticks = nice_ticks(low, high)
        assert ticks[0] <= low and ticks[-1] >= high and len(ticks) >= 2


def test_numbers_are_told_for_a_reader() -> None:
    assert [figure(v) for v in (None, 1.234, 873.4)] == ["–", "1.23", "873"]
    assert interval({"low": None, "high": None}) == interval(None) == "–"
    assert interval({"low": 1.0, "high": 2.5}) == "1.00 to 2.50"


def test_a_figure_that_is_not_none_at_all_does_not_look_so() -> None:
    assert figure(0.0004, 3) == "<0.001" and figure(0.0, 3) == "0.000"
    assert figure(0.0006, 3) == "0.001" and figure(None) == "–"
