"""What the robot process needs of a policy; learnt ones live with the learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import numpy as np

C = TypeVar("C")


class Policy(Protocol, Generic[C]):
    """Chooses actions from observations with weights in this process's own memory."""

    @property
    def version(self) -> int:
        """Version of the weights in use; 0 for the random policy."""
        ...

    def initial(self) -> C:
        """State to carry at the start of an episode."""
        ...

    def act(self, carry: C, observation: Mapping[str, np.ndarray]) -> tuple[C, np.ndarray]:
        """Choose an action.

        Args:
            carry: what the last call returned.
            observation: one array per key of the robot's spec, without a batch axis, and
                "is_first" as a bool scalar array.

        Returns:
            The next carry and a float32 action (A,), which may leave [-1, 1]; it is clipped on
            its way to the body.
        """
        ...
