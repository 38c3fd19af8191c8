"""Defaults of trainers.semi_supervised when the first rows of few labels were recorded."""

from __future__ import annotations

from typing import Any

EARLIER: dict[str, Any] = {
    "learning_rate": 1e-3,
    "style_size": 32,
    "alpha": 50.0,
    "temperature_schedule": "exponential",
}
"""Fields of the configuration that recorded settings and commands leave out."""
