"""Recordings of other people's robots, read under a map and kept as logs of ours."""
