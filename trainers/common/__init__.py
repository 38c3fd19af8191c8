"""Modules that the trainers share."""
