"""Codes as things to store and to look up: bytes, exact search, duplicates, compression."""

from tf_discrete.codes.compression import Compressed, compress, decompress
from tf_discrete.codes.digest import model_digest
from tf_discrete.codes.duplicates import Collisions, NearDuplicates, collisions, near_duplicates
from tf_discrete.codes.encoding import encode_batches, encode_digits
from tf_discrete.codes.exact.duplicate_report import DuplicateReport
from tf_discrete.codes.exact.searching import ExactNeighbors
from tf_discrete.codes.exact_index import ExactIndex
from tf_discrete.codes.faiss_index import FaissIndex
from tf_discrete.codes.fixed_point import FixedPointPrior
from tf_discrete.codes.hamming import (
    Neighbors,
    RadiusNeighbors,
    hamming_distances,
    hamming_radius,
    hamming_top_k,
    hamming_top_k_tensor,
    recall_against,
)
from tf_discrete.codes.index import CodeIndex
from tf_discrete.codes.item_ids import SemanticIds, semantic_ids
from tf_discrete.codes.packing import (
    bits_per_variable,
    bytes_per_code,
    pack,
    pack_one_hot,
    pack_tensor,
    pack_to_compare,
    unpack,
)
from tf_discrete.codes.prefixes import common_prefix, prefix_top_k
from tf_discrete.codes.state_table import StateTable
from tf_discrete.codes.transition_memory import TransitionMemory

__all__ = [
    "CodeIndex",
    "Collisions",
    "Compressed",
    "DuplicateReport",
    "ExactIndex",
    "ExactNeighbors",
    "FaissIndex",
    "FixedPointPrior",
    "NearDuplicates",
    "Neighbors",
    "RadiusNeighbors",
    "SemanticIds",
    "StateTable",
    "TransitionMemory",
    "bits_per_variable",
    "bytes_per_code",
    "collisions",
    "common_prefix",
    "compress",
    "decompress",
    "encode_batches",
    "encode_digits",
    "hamming_distances",
    "hamming_radius",
    "hamming_top_k",
    "hamming_top_k_tensor",
    "model_digest",
    "near_duplicates",
    "pack",
    "pack_one_hot",
    "pack_tensor",
    "pack_to_compare",
    "prefix_top_k",
    "recall_against",
    "semantic_ids",
    "unpack",
]
