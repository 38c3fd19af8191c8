"""Reinforcement learning by a table of discrete states."""
