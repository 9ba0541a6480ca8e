"""A company with known truth: who leaves, when, why, and what could be seen before in every table of the contract.

The demonstration, the tests and the benchmarks run on it, without a network or a file. Its numbers are
assumptions about trade between companies in general, fitted to no company and to no model.
"""

from features.simulate.presets import PRESETS, Preset
from features.simulate.world import World, simulate, write

__all__ = ["PRESETS", "Preset", "World", "simulate", "write"]
