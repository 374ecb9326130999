"""Learns from transitions and gives weights."""
