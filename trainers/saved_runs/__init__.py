"""Programs that read finished runs."""
