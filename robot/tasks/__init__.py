"""Reward, episode rules and state estimates, computed from sensors alone."""
