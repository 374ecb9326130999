"""Evolution of a few numbers by CMA-ES."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Strategy:
    """CMA-ES (Hansen, arXiv 1604.00772) by the package `cma`, whose whole state is a few arrays.

    For each generation one of its objects is built from the arrays, asked, told, and read out
    again: so nothing is lost when learning goes on from a checkpoint, and nothing of it is pickled.
    The noise of a generation follows from the seed and the generation's number.

    All numbers are the package's, with two exceptions. Steps are adapted by cumulative path length
    in every dimension, as it was when the paper was written (the package now takes another way from
    300 dimensions on). The covariance is never rescaled when it is ill conditioned.

    Args:
        size: P, numbers to be found.
        population: L, candidates of a generation.
        sigma: first step size; 0.1 in the paper.
        least: smallest step size, so that search goes on while what is searched still changes.
    """

    def __init__(self, size: int, population: int, sigma: float = 0.1, least: float = 0.0) -> None:
        self.population, self.least = population, least
        real = torch.float64
        self.arrays = {
            "generation": torch.zeros((), dtype=torch.long),
            "seed": torch.randint(2**62, ()),
            "mean": torch.zeros(size, dtype=real),
            "sigma": torch.tensor(sigma, dtype=real),
            # As the package starts it: eigenvalues that are all the same would have no axes.
            "covariance": (torch.arange(size, dtype=real) * (1e-4 / size)).exp().diag(),
            "path_mean": torch.zeros(size, dtype=real),
            "path_sigma": torch.zeros(size, dtype=real),
        }
        self._asked: tuple[Any, list[np.ndarray]] | None = None

    @property
    def generation(self) -> int:
        """How many were told."""
        return int(self.arrays["generation"])

    def ask(self) -> Tensor:
        """Candidates of this generation (L, P) float64, the same however often it is asked."""
        if self._asked is None:
            search = self._search()
            self._asked = search, search.ask()
        return torch.from_numpy(np.stack(self._asked[1]))

    def tell(self, costs: Tensor) -> None:
        """Move on by what the candidates cost, (L,); one that is not finite counts as the worst."""
        self.ask()
        assert self._asked is not None
        search, candidates = self._asked
        worst = torch.finfo(torch.float64).max
        finite = torch.where(costs.isfinite(), costs.double(), worst)
        search.countiter = self.generation
        search.tell(candidates, finite.tolist())
        found = {
            "generation": search.countiter,
            "mean": search.mean,
            "sigma": max(float(search.sigma), self.least),
            "covariance": search.sm.C,
            "path_mean": search.pc,
            "path_sigma": search.adapt_sigma.ps,
        }
        for name, value in found.items():
            self.arrays[name].copy_(torch.as_tensor(value, dtype=self.arrays[name].dtype))
        self._asked = None

    def load(self, arrays: Mapping[str, Tensor]) -> None:
        """Take over `arrays` of another."""
        for name, array in self.arrays.items():
            array.copy_(arrays[name])
        self._asked = None

    def _search(self) -> Any:
        """The package's object at this generation."""
        # Only a learner that evolves needs it, and it takes seconds to be imported.
        import cma
        from cma.sigma_adaptation import CMAAdaptSigmaCSA

        now = {name: array.numpy().copy() for name, array in self.arrays.items()}
        random = np.random.default_rng([int(now["seed"]), self.generation])
        options = {
            "popsize": self.population,
            "AdaptSigma": CMAAdaptSigmaCSA,
            "conditioncov_alleviate": False,
            "randn": lambda *shape: random.standard_normal(shape),
            "seed": np.nan,
            "verbose": -9,
            "verb_log": 0,
        }
        search: Any = cma.CMAEvolutionStrategy(now["mean"], float(now["sigma"]), options)
        search.mean_old = now["mean"]
        search.pc, search.adapt_sigma.ps = now["path_mean"], now["path_sigma"]
        search.sm.C = now["covariance"]
        search.sm.update_now(-1)
        return search
