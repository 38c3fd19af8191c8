"""Semantic IDs of tables of embeddings."""
