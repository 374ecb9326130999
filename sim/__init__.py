"""Twins: simulated bodies that the robot process cannot tell from hardware."""
