"""The generated URDF: masses, mirror images and payload, against numbers worked by hand."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from robot.config import RobotConfig, load_config
from sim.description import describe
from sim.quadruped import loaded_trunk, mirrored

A1 = "hardware_configs/a1.yaml"


@pytest.fixture(scope="module")
def config() -> RobotConfig:
    return load_config(A1)


@pytest.fixture(scope="module")
def tree(config: RobotConfig) -> ElementTree.Element:
    return ElementTree.fromstring(describe(config).urdf)


def inertia(tree: ElementTree.Element, link: str) -> dict[str, float]:
    found = tree.find(f"link[@name='{link}']/inertial/inertia")
    assert found is not None
    return {key: float(value) for key, value in found.attrib.items()}


def centre(tree: ElementTree.Element, link: str) -> list[float]:
    found = tree.find(f"link[@name='{link}']/inertial/origin")
    assert found is not None
    return [float(x) for x in found.attrib["xyz"].split()]


def test_the_whole_robot_weighs_what_the_vendor_says(tree: ElementTree.Element) -> None:
    masses = [float(m.attrib["value"]) for m in tree.findall("link/inertial/mass")]
    assert len(masses) == 13
    assert sum(masses) == pytest.approx(12.45, abs=0.005)


def test_links_and_joints_come_in_the_order_of_the_legs(
    config: RobotConfig, tree: ElementTree.Element
) -> None:
    assert tuple(link.attrib["name"] for link in tree.findall("link")) == describe(config).links
    assert [joint.attrib["name"] for joint in tree.findall("joint")] == list(config.joints)


def test_the_left_front_hip_is_the_configured_one(tree: ElementTree.Element) -> None:
    assert centre(tree, "FL_hip") == [-0.003311, 0.000635, 3.1e-05]
    assert inertia(tree, "FL_hip")["ixy"] == -9.409e-06


def test_the_right_rear_hip_is_mirrored_twice(tree: ElementTree.Element) -> None:
    assert centre(tree, "RR_hip") == [0.003311, -0.000635, 3.1e-05]
    products = inertia(tree, "RR_hip")
    assert products["ixy"] == -9.409e-06
    assert products["ixz"] == 3.42e-07
    assert products["iyz"] == -4.66e-07


def test_a_rear_thigh_is_not_mirrored_front_to_rear(tree: ElementTree.Element) -> None:
    assert inertia(tree, "RL_thigh") == inertia(tree, "FL_thigh")
    assert centre(tree, "RR_thigh") == [-0.003237, 0.022327, -0.027326]
    assert inertia(tree, "RR_thigh")["iyz"] == -2.2448e-05


def test_a_mirror_image_has_the_inertia_of_reflected_points(config: RobotConfig) -> None:
    rng = np.random.default_rng(0)
    points, masses = rng.normal(size=(9, 3)), rng.uniform(1, 2, 9)

    def figures(points: np.ndarray) -> tuple[float, ...]:
        middle = points - masses @ points / masses.sum()
        second = (middle * masses[:, None]).T @ middle
        full = np.eye(3) * np.trace(second) - second
        return tuple(full[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))

    link = config.twin.links["hip"].model_copy(update={"inertia_kg_m2": figures(points)})
    for side_x, side_y in ((1, -1), (-1, 1), (-1, -1)):
        reflected = figures(points * (side_x, side_y, 1))
        np.testing.assert_allclose(mirrored(link, side_x, side_y).inertia_kg_m2, reflected)


def test_a_payload_raises_the_centre_of_mass_and_adds_its_mass() -> None:
    config = load_config(A1, ["twin.payload_kg=4.713"])  # as heavy as the trunk: halfway up
    trunk, loaded = config.twin.links["trunk"], loaded_trunk(config)
    assert loaded.mass_kg == pytest.approx(9.426)
    top = trunk.size_m[2] / 2 + 0.05
    assert loaded.centre_m[2] == pytest.approx((trunk.centre_m[2] + top) / 2)
    apart = np.array([0, 0, top]) - trunk.centre_m
    about_x = 4.713 * 0.1**2 / 6 + 4.713 / 2 * (apart[1] ** 2 + apart[2] ** 2)
    assert loaded.inertia_kg_m2[0] == pytest.approx(trunk.inertia_kg_m2[0] + about_x)


def test_no_payload_leaves_the_trunk_alone(config: RobotConfig) -> None:
    assert loaded_trunk(config) == config.twin.links["trunk"]
