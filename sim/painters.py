"""Draws a twin: with OpenGL where the computer has it, else with PyBullet's software renderer."""

# MuJoCo's names come from a native module that ships without type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import logging
import os
from ctypes.util import find_library
from typing import Protocol

import mujoco
import numpy as np

from robot.config import RobotConfig
from sim.description import describe
from sim.mujoco_base import base_of
from sim.mujoco_model import build_model
from sim.tiny_painter import TinyPainter
from sim.view import Painter, View

LOG = logging.getLogger(__name__)
LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
NEAR_M, FAR_M = 0.02, 50.0


class GlContext(Protocol):
    """What MuJoCo's windowless contexts can do."""

    def __init__(self, max_width: int, max_height: int) -> None: ...

    def make_current(self) -> None:
        """Send this thread's OpenGL calls here."""
        ...

    def free(self) -> None:
        """Release it."""
        ...


def gl_or_tiny_painter(config: RobotConfig) -> Painter:
    """The first painter that works here: EGL, OSMesa (MUJOCO_GL puts its own first), TinyRenderer.

    Raises:
        RuntimeError: when the computer has none of them, saying what to install.
    """
    first = os.environ.get("MUJOCO_GL", "")
    for platform in sorted(LIBRARIES, key=lambda name: name != first):
        try:
            painter = GlPainter(config, platform)
        except (ImportError, AttributeError, RuntimeError, OSError) as error:
            LOG.debug("no drawing with %s: %s", platform, error)
        else:
            LOG.info("drawing with MuJoCo and %s", platform)
            return painter
    try:
        painter = TinyPainter(config)
    except ImportError as error:
        raise RuntimeError(
            "no way to draw here: install libegl1 or libosmesa6, or pybullet (Python 3.11)"
        ) from error
    LOG.info("drawing with PyBullet's software renderer: neither EGL nor OSMesa works here")
    return painter


class GlPainter:
    """Draws with MuJoCo's OpenGL renderer, without a window.

    Must be used by the thread that made it: that is OpenGL's rule.

    Args:
        config: the robot.
        platform: "egl" or "osmesa".

    Raises:
        OSError: where the platform's library is missing.
        ImportError: where this process has already chosen another platform.
        RuntimeError: where the platform gives no context.
    """

    def __init__(self, config: RobotConfig, platform: str) -> None:
        anatomy = describe(config)
        self._base = base_of(anatomy)
        self._model = build_model(config, anatomy)
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name).id for name in config.joints]
        self._angles = self._model.jnt_qposadr[joints]
        self._context_of = _context_class(platform)
        self._size = (0, 0)
        self._gl: GlContext | None = None
        self._scene = mujoco.MjvScene(self._model, maxgeom=200)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._resize(64, 64)

    def paint(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes."""
        picture = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(picture, None, self._render(state, view, height, width), self._draw)
        return picture[::-1].copy()  # OpenGL counts rows from below

    def depth(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W) float32 m along the view, at most FAR_M."""
        share = np.empty((height, width), np.float32)  # of OpenGL's hyperbolic way to FAR_M
        mujoco.mjr_readPixels(None, share, self._render(state, view, height, width), self._draw)
        return (NEAR_M / (1 - share * (1 - NEAR_M / FAR_M)))[::-1].copy()

    def _render(self, state: np.ndarray, view: View, height: int, width: int) -> mujoco.MjrRect:
        self._resize(height, width)
        self._pose(state)
        self._aim(view, width / height)
        rectangle = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rectangle, self._scene, self._draw)
        return rectangle

    def close(self) -> None:
        """Free the context; safe to call twice."""
        if self._gl is not None:
            self._gl.make_current()
            self._draw.free()
            self._gl.free()
            self._gl, self._size = None, (0, 0)

    def _resize(self, height: int, width: int) -> None:
        if self._gl is None or (height, width) != self._size:
            self.close()
            self._gl = self._context_of(width, height)
            self._gl.make_current()
            self._model.vis.global_.offwidth = width
            self._model.vis.global_.offheight = height
            self._draw = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._draw)
            self._size = (height, width)
        self._gl.make_current()

    def _pose(self, state: np.ndarray) -> None:
        self._base.put(self._data, state[:7])
        self._data.qpos[self._angles] = state[7:]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def _aim(self, view: View, aspect: float) -> None:
        mujoco.mjv_updateScene(
            self._model,
            self._data,
            mujoco.MjvOption(),
            None,
            mujoco.MjvCamera(),
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        for camera in self._scene.camera:
            camera.pos, camera.forward, camera.up = view.eye, view.forward, view.up
            top = view.half_height(NEAR_M)
            camera.frustum_near, camera.frustum_far = NEAR_M, FAR_M
            camera.frustum_top, camera.frustum_bottom = top, -top
            camera.frustum_center, camera.frustum_width = 0.0, top * aspect


def _context_class(platform: str) -> type[GlContext]:
    """MuJoCo's windowless context for a platform."""
    if find_library(LIBRARIES[platform]) is None:
        raise OSError(f"lib{LIBRARIES[platform]} is not installed")
    if platform == "egl":
        from mujoco.egl import GLContext
    else:
        from mujoco.osmesa import GLContext
    return GLContext
