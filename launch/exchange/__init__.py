"""Logs of ours in the words of others, and back: LeRobot, rerun, npz, Minari."""
