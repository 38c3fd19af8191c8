"""Tasks, one module for each model."""
