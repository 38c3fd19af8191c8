"""Trains a categorical VAE: python -m trainers.categorical_vae --help."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tf_discrete import datasets, estimators, evaluation, export, likelihoods, plots, schedules
from tf_discrete.models import CategoricalVAE
from trainers import command_line
from trainers import run as run_lib
from trainers.config import RunConfig, option, to_json
from trainers.export import preprocessing_of
from trainers.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    num_variables: int = option(20, "Latent variables N.", lower=1)
    num_categories: int = option(10, "Categories K of each; 2 with Bernoulli latents.", lower=2)
    latents: str = option("categorical", "Kind of latents.", choices=("categorical", "bernoulli"))
    encoder: str = option("mlp", "Networks: 'mlp', 'conv' or a registered name.")
    hidden_units: tuple[int, ...] = option(
        (512, 256), "Units of the encoder's hidden layers; the decoder mirrors them."
    )
    activation: str = option("relu", "Of the hidden layers.")
    prior: str = option("uniform", "Prior of the latents.", choices=("uniform", "learned"))
    likelihood: str = option(
        "auto",
        "Of the pixels. 'auto': bernoulli for black and white images (binarised, or as they come), "
        "gaussian for grey and colour. Others: "
        + ", ".join(likelihoods.names())
        + ", or a registered one of yours.",
    )
    likelihood_scale: float = option(
        0.2, "Standard deviation of a pixel; Gaussian likelihood. 0: learned.", lower=0
    )
    estimator: str = option(
        "gumbel_softmax",
        "Gradient estimator: " + ", ".join(estimators.names()) + ", or a registered one of yours.",
    )
    num_samples: int = option(
        0, "Latent samples for each image in training. 0: the fewest the estimator takes.", lower=0
    )
    objective: str = option(
        "elbo",
        "'elbo': exact discrete KL; 'relaxed_elbo': densities of the relaxation.",
        choices=("elbo", "relaxed_elbo"),
    )
    temperature: float = option(
        0.0,
        "Temperature, or its value at the first step. 0: the estimator's own default, or 1 where a "
        "schedule changes it.",
        lower=0,
    )
    temperature_schedule: str = option(
        "auto",
        "'exponential': max(temperature_final, temperature * exp(-temperature_rate * step)); 'linear' "
        "and 'cosine' reach temperature_final after temperature_steps; 'auto': exponential for "
        "gumbel_softmax and its straight-through kin, constant for the other estimators.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
    temperature_final: float = option(0.5, "Lowest temperature of a schedule.", positive=True)
    temperature_rate: float = option(1e-4, "Rate of the exponential schedule, per step.", lower=0)
    temperature_steps: int = option(
        0, "Length of the linear and cosine schedules in steps. 0: half of the run.", lower=0
    )
    temperature_update_period: int = option(
        500, "Steps between two changes of the exponential schedule.", lower=1
    )
    prior_temperature: float = option(0.5, "Of the relaxed prior; relaxed_elbo.", positive=True)
    kl_weight: float = option(1.0, "Weight of the KL.", lower=0)
    kl_warmup_steps: int = option(0, "Steps over which the KL's weight rises from 0.", lower=0)
    free_bits: float = option(0.0, "Nats of KL that are free for each variable.", lower=0)
    classify_reconstructions: bool = option(
        True,
        "At the end train a classifier on real images and report how it reads the reconstructions "
        "(data with labels only).",
    )


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> CategoricalVAE:
    """The model that a configuration describes."""
    total_steps = steps_per_epoch * config.epochs
    return CategoricalVAE(
        data_shape=split.image_shape,
        num_variables=config.num_variables,
        num_categories=config.num_categories,
        latents=config.latents,
        encoder=config.encoder,
        hidden_units=config.hidden_units,
        activation=config.activation,
        prior=config.prior,
        likelihood=make_likelihood(config, split),
        estimator=config.estimator,
        temperature=make_temperature(config, total_steps),
        num_samples=config.num_samples or None,
        objective=config.objective,
        prior_temperature=config.prior_temperature,
        kl_weight=make_kl_weight(config),
        free_bits=config.free_bits,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )


def make_likelihood(config: Config, split: datasets.Split) -> likelihoods.Likelihood:
    """The likelihood of the pixels."""
    name = config.likelihood
    if name == "auto":
        some = split.images[:1000]
        binary = config.binarization != "none" or bool(np.isin(some, (0, some.max())).all())
        name = "bernoulli" if binary else "gaussian"
    if name == "gaussian":
        return likelihoods.Gaussian(config.likelihood_scale or None)
    return likelihoods.get(name)


def make_temperature(config: Config, total_steps: int) -> schedules.Schedule | None:
    """The schedule of the temperature; None for the estimator's own default, or if it has none."""
    estimator = estimators.get_class(config.estimator)
    if "temperature" not in estimators.arguments(estimator):
        return None
    name = config.temperature_schedule
    if name == "auto":
        anneals = issubclass(estimator, estimators.GumbelSoftmax)
        name = "exponential" if anneals else "constant"
    if name == "constant":
        return schedules.Constant(config.temperature) if config.temperature else None
    initial, steps = config.temperature or 1.0, config.temperature_steps or max(1, total_steps // 2)
    if name == "linear":
        return schedules.Linear(initial, config.temperature_final, steps)
    if name == "cosine":
        return schedules.Cosine(initial, config.temperature_final, steps)
    return schedules.Exponential(
        initial,
        config.temperature_rate,
        config.temperature_final,
        config.temperature_update_period,
    )


def make_kl_weight(config: Config) -> Any:
    """The weight of the KL, or its warm-up."""
    if config.kl_warmup_steps:
        return schedules.Linear(0.0, config.kl_weight, config.kl_warmup_steps)
    return config.kl_weight


def finish(
    model: CategoricalVAE, config: Config, directory: RunDirectory, splits: run_lib.Splits
) -> dict[str, Any]:
    """Scores the test split, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples)
    batch = next(iter(test.batches(min(500, len(test)))))
    images, labels = batch["image"].numpy(), batch.get("label")
    labels = None if labels is None else labels.numpy()
    draw_pictures(model, images, labels, directory)
    if config.classify_reconstructions and test.num_classes:
        result["reconstruction_accuracy"] = classify_reconstructions(model, config, splits)
    model.save(directory.model_path)
    export.save(
        model,
        directory.saved_model_path,
        preprocessing=preprocessing_of(to_json(config)),
        metadata={"run": to_json(config)},
        overwrite=True,
    )
    return {f"test/{name}": value for name, value in result.items()}


def draw_pictures(
    model: CategoricalVAE, images: np.ndarray, labels: np.ndarray | None, directory: RunDirectory
) -> None:
    """reconstructions.png, samples.png, codes.png, traversal.png and curves.png."""
    reconstructions = as_image(model.reconstruct(images))
    usage = evaluation.collect_usage(model, [images])
    figures = {
        "reconstructions": plots.reconstructions(images, reconstructions, labels),
        "samples": plots.image_grid(as_image(model.sample(100, seed=1))),
        "codes": plots.code_usage(usage.counts, usage.perplexity, collapsed=usage.collapsed),
        "curves": plots.curves(directory.history()),
        "traversal": traversal(model, images[:1], usage),
    }
    for name, figure in figures.items():
        plots.save(figure, directory.path / f"{name}.png")


def traversal(
    model: CategoricalVAE, image: np.ndarray, usage: evaluation.Usage, rows: int = 10
) -> Any:
    """One image with one variable at a time set to each category; the most informative variables."""
    information = usage.mutual_information
    order = np.argsort(-(information if information is not None else usage.perplexity))[:rows]
    variables = sorted(int(index) for index in order)
    code = model.encode(image).numpy()[0]
    codes = np.tile(code, [len(variables), model.num_categories, 1])
    for row, variable in enumerate(variables):
        codes[row, :, variable] = np.arange(model.num_categories)
    images = as_image(model.decode(codes.reshape(-1, model.num_variables)))
    images = images.reshape(len(variables), model.num_categories, *images.shape[1:])
    return plots.traversal(images, code[variables], variables=variables)


def as_image(mean: Any) -> np.ndarray:
    """Means of a likelihood as intensities; a Gaussian's may lie outside [0, 1]."""
    return np.clip(np.asarray(mean), 0.0, 1.0)


def classify_reconstructions(
    model: CategoricalVAE, config: Config, splits: run_lib.Splits, most: int = 10_000
) -> float:
    """How a classifier that was trained on real images reads the reconstructions of test images."""
    train, test = splits["train"], splits["test"]
    batch = next(iter(train.batches(min(most, len(train)), shuffle=True)))
    classifier = evaluation.train_classifier(
        batch["image"].numpy(), batch["label"].numpy(), test.num_classes, seed=config.seed
    )
    read = next(iter(test.batches(min(most, len(test)))))
    reconstructions = as_image(model.reconstruct(read["image"]))
    return evaluation.reconstruction_accuracy(classifier, reconstructions, read["label"].numpy())


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    if not config.output_dir:
        name = config.dataset.rstrip("/").split("/")[-1]
        config = run_lib.defaults_of(config, output_dir=f"runs/categorical_vae-{name}")
    result = run_lib.train(config, build_model, finish)
    run_lib.print_table(f"{config.output_dir}: test results (nats)", result)
    print(f"\nEverything is in {config.output_dir}; tensorboard --logdir={config.output_dir}")
    return result


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
