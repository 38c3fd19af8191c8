"""Bulk encoding on Apache Beam: images in shards to packed codes in Parquet, each image once."""
