"""Replay, updates, checkpoints, weights and the trainer that drives them."""
