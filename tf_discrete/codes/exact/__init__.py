"""Exact search over codes in files: multi-index hashing with a certificate, an append log and compaction."""
