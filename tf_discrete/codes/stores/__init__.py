"""Codes in the stores that teams run already: FAISS, usearch, LanceDB and PostgreSQL with pgvector.

All of them compare bytes bit by bit. Binary codes are stored as `pack` makes them, the first variable in the
highest bit of the first byte; codes of more categories are stored one-hot, and their distances are halved.
"""

from tf_discrete.codes.stores.code_store import CodeStore
from tf_discrete.codes.stores.faiss_store import FaissStore
from tf_discrete.codes.stores.lance_store import LanceStore
from tf_discrete.codes.stores.postgres_store import PostgresStore
from tf_discrete.codes.stores.usearch_store import UsearchStore

__all__ = ["CodeStore", "FaissStore", "LanceStore", "PostgresStore", "UsearchStore"]
