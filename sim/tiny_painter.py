"""Draws a twin with PyBullet's software renderer, which needs no system library."""

from __future__ import annotations

import numpy as np

from robot.config import RobotConfig
from sim.bullet import Bullet
from sim.view import View

TILE_M = 0.5
TILES = 8  # per side; the floor that is drawn follows the robot in whole pairs of tiles
DARK, LIGHT = (0.35, 0.40, 0.38, 1), (0.52, 0.57, 0.55, 1)
NEAR_M, FAR_M = 0.02, 20.0
MOST_SHAPES = 16  # PyBullet crashes on bodies of more


class TinyPainter:
    """Draws the robot in a PyBullet world of its own, so that drawing never touches physics.

    Raises:
        ImportError: where PyBullet is not installed, saying how to get on without it.
    """

    def __init__(self, config: RobotConfig) -> None:
        self._bullet = Bullet(config)
        self._tiles = self._lay_tiles()

    def paint(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes."""
        picture = self._draw(state, view, height, width)[2]
        return np.asarray(picture, np.uint8).reshape(height, width, 4)[..., :3].copy()

    def depth(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W) float32 m along the view, at most FAR_M."""
        share = np.asarray(self._draw(state, view, height, width)[3], np.float32)
        return (NEAR_M / (1 - share * (1 - NEAR_M / FAR_M))).reshape(height, width)

    def _draw(self, state: np.ndarray, view: View, height: int, width: int) -> tuple:
        """PyBullet's answer: width, height, colours, hyperbolic share of the way to FAR_M."""
        bullet = self._bullet
        bullet.pose(state[:3], state[3:7], state[7:])
        self._move_tiles(state)
        look = bullet.api.computeViewMatrix(
            view.eye.tolist(), (view.eye + view.forward).tolist(), view.up.tolist()
        )
        lens = bullet.api.computeProjectionMatrixFOV(view.field_deg, width / height, NEAR_M, FAR_M)
        return bullet.api.getCameraImage(
            width,
            height,
            look,
            lens,
            shadow=0,
            lightDirection=[-0.4, -0.6, 2.0],
            flags=bullet.api.ER_NO_SEGMENTATION_MASK,
            renderer=bullet.api.ER_TINY_RENDERER,
            physicsClientId=bullet.client,
        )

    def close(self) -> None:
        """Leave PyBullet; safe to call twice."""
        self._bullet.close()

    def _lay_tiles(self) -> list[int]:
        """Bodies of dark and of light squares."""
        centres = [i - TILES / 2 + 0.5 for i in range(TILES)]
        squares = [(x, y) for x in centres for y in centres]
        dark = [(x, y) for x, y in squares if (x + y) % 2 == 0]
        light = [(x, y) for x, y in squares if (x + y) % 2 == 1]
        return [
            self._squares(tiles[first : first + MOST_SHAPES], colour)
            for tiles, colour in ((dark, DARK), (light, LIGHT))
            for first in range(0, len(tiles), MOST_SHAPES)
        ]

    def _squares(self, centres: list[tuple[float, float]], colour: tuple) -> int:
        api, client = self._bullet.api, self._bullet.client
        count = len(centres)
        shape = api.createVisualShapeArray(
            shapeTypes=[api.GEOM_BOX] * count,
            halfExtents=[[TILE_M / 2, TILE_M / 2, 0.005]] * count,
            visualFramePositions=[[x * TILE_M, y * TILE_M, -0.005] for x, y in centres],
            rgbaColors=[list(colour)] * count,
            physicsClientId=client,
        )
        return api.createMultiBody(0, -1, shape, physicsClientId=client)

    def _move_tiles(self, state: np.ndarray) -> None:
        x, y = np.round(state[:2] / (2 * TILE_M)) * 2 * TILE_M
        for body in self._tiles:
            self._bullet.api.resetBasePositionAndOrientation(
                body, [x, y, 0], [0, 0, 0, 1], physicsClientId=self._bullet.client
            )
