"""What a finished run leaves behind: numbers, pictures, a log, a model, a SavedModel."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.projector import projector_config_pb2

from tests.trainers import charts_test, small_runs
from tf_discrete import datasets, evaluation, export, likelihoods
from trainers.common import (
    autoencoder_report,
    charts,
    data,
    run_directory,
    stored_config,
)
from trainers.common.history_fields import MONITORED
from trainers.saved_runs import evaluate
from trainers.tasks import categorical_vae

PICTURES = ("reconstructions", "samples", "codes", "curves", "traversal", "schedules")
TERMS = ("loss", "elbo_nats", "reconstruction_nats", "kl_nats")
HARD_TERMS = ("hard_elbo_nats", "hard_reconstruction_nats")


@pytest.fixture(scope="module")
def log(finished):
    """The summaries of the run: split -> tag -> [(step, value, plugin)]."""
    found = {}
    for split in ("train", "validation", "test"):
        folder = finished / "tensorboard" / split
        events = event_accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0})
        events.Reload()
        found[split] = {
            tag: [
                (
                    event.step,
                    tf.make_ndarray(event.tensor_proto),
                    events.SummaryMetadata(tag).plugin_data.plugin_name,
                )
                for event in events.Tensors(tag)
            ]
            for tag in events.Tags()["tensors"]
        }
    return found


def test_files(finished: pathlib.Path):
    assert {path.name for path in finished.iterdir()} == {
        "config.json",
        "data.json",
        "metrics.jsonl",
        "metrics.json",
        "checkpoints",
        "tensorboard",
        "model.keras",
        "saved_model",
        *(f"{name}.png" for name in PICTURES),
    }
    assert stored_config.load(
        categorical_vae.Config, finished / "config.json"
    ) == small_runs.config(finished)


def test_history(finished: pathlib.Path):
    rows = small_runs.rows(finished)
    assert [(row["epoch"], row["step"]) for row in rows] == [(i, 10 * i) for i in range(1, 6)]
    names = {"epoch", "step", "train/gradient_norm", "train/temperature", "train/kl_weight"}
    names |= {f"{split}/{n}" for split in ("train", "validation") for n in (*TERMS, *HARD_TERMS)}
    assert names <= set(rows[0])
    for row in rows:
        assert all(np.isfinite(value) for value in row.values())
        for split in ("train", "validation"):
            total = row[f"{split}/elbo_nats"]
            assert -row[f"{split}/reconstruction_nats"] - row[f"{split}/kl_nats"] == pytest.approx(
                total, rel=1e-5
            )
    assert rows[-1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"] + 1


def test_history_tells_the_schedules_of_the_last_step(finished: pathlib.Path):
    settings = small_runs.config(finished)
    temperature = categorical_vae.make_temperature(settings, 50)
    weight = categorical_vae.make_kl_weight(settings)
    for row in small_runs.rows(finished):
        last = row["step"] - 1
        assert row["train/temperature"] == pytest.approx(float(temperature(last)))
        assert row["train/kl_weight"] == pytest.approx(float(weight(last)))


def test_result(finished: pathlib.Path):
    result = json.loads((finished / "metrics.json").read_text())
    rows = small_runs.rows(finished)
    bounds = [row[MONITORED] for row in rows]
    assert result["best_epoch"] == 1 + int(np.argmax(bounds))
    assert (result["epochs"], result["steps"]) == (5, 50)
    assert (result["test/num_examples"], result["test/bound_samples"]) == (300, 30)
    assert result["test/bound_nats"] > result["test/hard_elbo_nats"]
    assert 0 < result["test/bound_standard_error_nats"] < 2
    assert 1 <= result["test/mean_perplexity"] <= 3
    assert 0 <= result["test/active_units"] <= 4


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(finished: pathlib.Path, name):
    image = tf.io.decode_png((finished / f"{name}.png").read_bytes()).numpy()
    assert min(image.shape[:2]) > 50
    assert image[..., :3].std() > 5


def test_scalars(log):
    for split in ("train", "validation"):
        for name in (*TERMS, *HARD_TERMS):
            tag = charts.chart(name).tag
            assert [step for step, _, _ in log[split][tag]] == [10, 20, 30, 40, 50], name
    for name in ("temperature", "kl_weight", "learning_rate", "gradient_norm"):
        assert len(log["train"][f"optimisation/{name}"]) == 5, name
    for name in ("codes/perplexity", "codes/active_units"):
        assert len(log["validation"][name]) == 5, name
    rates = log["train"]["optimisation/learning_rate"]
    assert [float(value) for _, value, _ in rates] == pytest.approx([0.003] * 5)


def test_every_chart_is_described_and_one_decides(finished: pathlib.Path):
    deciding = []
    for split in ("train", "validation", "test"):
        events = event_accumulator.EventAccumulator(str(finished / "tensorboard" / split))
        events.Reload()
        for kind in ("images", "histograms"):
            for tag in events.Tags()["tensors"]:
                plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
                assert plugin != kind or events.SummaryMetadata(tag).summary_description, tag
        for tag in events.PluginTagToContent("scalars"):
            text = events.SummaryMetadata(tag).summary_description
            assert text and "averaged over examples" not in text, tag  # The words of unknown ones.
            if "decides the best epoch" in text:
                deciding.append((split, tag))
    assert deciding == [("validation", "discrete_path/hard_elbo_nats")]


def test_the_layout_names_the_scalars_of_the_run(finished: pathlib.Path):
    layout = charts_test.check_layout(finished / "tensorboard")
    assert list(layout) == ["objective", "discrete path", "codes", "optimisation", "test"]
    shown = {pattern for group in layout.values() for tags in group.values() for pattern in tags}
    for name in (*TERMS, *HARD_TERMS, "usage/perplexity_min", "bound_nats", "learning_rate"):
        assert f"^{charts.chart(name).tag}$" in shown


def test_scalars_are_the_history(log, finished: pathlib.Path):
    for name in ("validation/hard_elbo_nats", "train/kl_nats", "train/temperature"):
        split, field = name.split("/")
        logged = [float(value) for _, value, _ in log[split][charts.chart(field).tag]]
        assert logged == pytest.approx([row[name] for row in small_runs.rows(finished)], rel=1e-6)
    test = {tag: float(values[-1][1]) for tag, values in log["test"].items()}
    result = small_runs.result(finished)
    assert test["test/bound_nats"] == pytest.approx(result["test/bound_nats"], rel=1e-6)


def test_images_and_histograms(log):
    for name in ("reconstructions", "samples", "codes"):
        events = log["validation"][name]
        assert [step for step, _, _ in events] == [10, 30], name  # Epochs 1 and 3.
        width, height, encoded = events[0][1][:3]
        image = tf.io.decode_png(encoded).numpy()
        assert image.shape[:2] == (int(height), int(width)), name
        assert image[..., :3].std() > 5, name
        assert events[0][2] == "images"
    histograms = [tag for tag, events in log["validation"].items() if events[0][2] == "histograms"]
    assert {"posterior_logits", "posterior_probs", "perplexity_per_variable"} <= set(histograms)
    assert sum(tag.startswith("weights/") for tag in histograms) == 8  # 2 x 2 layers.


def test_hyper_parameters(finished: pathlib.Path):
    events = event_accumulator.EventAccumulator(str(finished / "tensorboard/train"))
    events.Reload()
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert info.hparams["learning_rate"].number_value == pytest.approx(0.003)
    assert info.hparams["estimator"].string_value == "gumbel_softmax"
    assert info.hparams["hidden_units"].string_value == "[12]"


def test_projector(finished: pathlib.Path):
    folder = finished / "tensorboard/validation"
    found = text_format.Parse(
        (folder / "projector_config.pbtxt").read_text(), projector_config_pb2.ProjectorConfig()
    )
    (embedding,) = found.embeddings
    reader = tf.train.load_checkpoint(found.model_checkpoint_path)
    points = reader.get_tensor(embedding.tensor_name)
    validation = datasets.get("digits", "validation", max_examples=300)
    assert points.shape == (len(validation), 4 * 3)
    np.testing.assert_allclose(points.reshape(-1, 3).sum(axis=-1), 1.0, rtol=1e-5)
    labels = (folder / embedding.metadata_path).read_text().split()
    assert labels == [str(label) for label in validation.labels]
    sprite = tf.io.decode_png((folder / embedding.sprite.image_path).read_bytes())
    side = int(np.ceil(np.sqrt(len(validation))))
    assert sprite.shape == (8 * side, 8 * side, 1)
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    assert list(folder.glob("events.out.*"))  # The projector lists no folder without.


def test_model_and_saved_model_agree_with_the_best_checkpoint(finished: pathlib.Path):
    model = keras.saving.load_model(finished / "model.keras", compile=False)
    stored = small_runs.checkpoint(finished, "best")
    kernel = model.encoder.trainable_variables[0].numpy()
    assert any(
        value.shape == kernel.shape and np.array_equal(value, kernel) for value in stored.values()
    )
    served = tf.saved_model.load(str(finished / "saved_model"))
    test = datasets.get("digits", "test", binarization="dynamic", max_examples=7)
    images = next(iter(test.batches(7)))["image"]
    codes = served.signatures["encode"](image=images)["codes"]
    np.testing.assert_array_equal(codes, model.encode(images))
    manifest = export.load_manifest(finished / "saved_model")
    assert manifest.preprocessing["binarization"] == "dynamic"


@pytest.mark.slow
def test_evaluation_again_gives_the_same_numbers(copied):
    folder = copied()
    reported = small_runs.result(folder)
    found = evaluate.run(evaluate.Config(run=str(folder), bound_samples=30))
    for name, value in reported.items():
        if name.startswith("test/"):
            assert found[name.removeprefix("test/")] == value, name
    assert found["epoch"] == reported["best_epoch"]
    assert json.loads((folder / "evaluation-test.json").read_text()) == found
    other = folder / "other.json"
    last = evaluate.Config(
        run=str(folder), checkpoint="last", split="validation", bound_samples=3, output=str(other)
    )
    result = evaluate.run(last)
    row = small_runs.rows(folder)[-1]
    assert json.loads(other.read_text()) == result
    assert (result["epoch"], result["split"], result["bound_samples"]) == (5, "validation", 3)
    # The batches are not those of training, so neither are the draws.
    assert result["hard_elbo_nats"] == pytest.approx(row[MONITORED], rel=0.05)
    assert result["kl_nats"] == pytest.approx(row["validation/kl_nats"], rel=1e-4)


def test_reconstructions_are_read_by_a_classifier(
    finished: pathlib.Path, tmp_path: pathlib.Path, monkeypatch
):
    """The classifier is trained on the real training images, and reads those of test."""
    model = keras.saving.load_model(finished / "model.keras", compile=False)
    settings = small_runs.config(finished)
    splits = data.load_splits(settings)
    seen = {}
    Classifier = collections.namedtuple("Classifier", "name")

    def cached_classifier(path, images, labels, num_classes, seed, **options):
        seen.update(path=path, trained=len(images), classes=num_classes, seed=seed)
        return Classifier("stub")

    def accuracy(classifier, images, labels):
        seen.update(read=len(images), shape=images.shape[1:], labels=labels)
        return 0.5

    monkeypatch.setattr(evaluation, "cached_classifier", cached_classifier)
    monkeypatch.setattr(evaluation, "reconstruction_accuracy", accuracy)
    directory = run_directory.RunDirectory(tmp_path)
    classifier = autoencoder_report.make_classifier(settings, directory, splits["train"])
    found = autoencoder_report.classify(model, classifier, splits["test"])
    assert (found["reconstruction_accuracy"], found["original_accuracy"]) == (0.5, 0.5)
    assert found["reconstruction_accuracy_standard_error"] == pytest.approx(0.5 / 300**0.5)
    assert seen["path"] == tmp_path / "classifier.keras"
    assert (seen["trained"], seen["read"], seen["classes"]) == (300, 300, 10)
    assert seen["shape"] == (8, 8, 1)
    np.testing.assert_array_equal(seen["labels"], splits["test"].labels)


def test_images_without_a_label_are_left_out_of_the_judging():
    split = datasets.get("digits", "test", max_examples=60)
    assert autoencoder_report.with_labels(split) is split
    some = dataclasses.replace(split, labels=np.where(np.arange(60) % 2, -1, split.labels))
    found = autoencoder_report.with_labels(some)
    np.testing.assert_array_equal(found.images, split.images[::2])
    np.testing.assert_array_equal(found.labels, split.labels[::2])
    one_class = np.where(split.labels == 3, 3, -1)
    for labels in (np.full(60, -1), one_class, None):
        assert autoencoder_report.with_labels(dataclasses.replace(split, labels=labels)) is None


@pytest.mark.parametrize(
    "name,binarization,images,expected",
    [
        ("auto", "none", [[0, 255]], likelihoods.Bernoulli),
        ("auto", "none", [[0, 100, 255]], likelihoods.Gaussian),
        ("auto", "dynamic", [[0, 100, 255]], likelihoods.Bernoulli),
        ("gaussian", "dynamic", [[0, 255]], likelihoods.Gaussian),
        ("categorical_intensity", "none", [[0, 255]], likelihoods.CategoricalIntensity),
    ],
)
def test_likelihood_follows_the_images(name, binarization, images, expected):
    split = datasets.Split(
        "toy", "train", np.array(images, np.uint8)[..., None, None], None, None, binarization
    )
    settings = categorical_vae.Config(likelihood=name, binarization=binarization)
    assert type(categorical_vae.make_likelihood(settings, split)) is expected


def test_a_scale_of_zero_is_learned():
    split = datasets.get("digits", "test")
    made = categorical_vae.make_likelihood(categorical_vae.Config(likelihood_scale=0.0), split)
    assert made.scale is None
    made = categorical_vae.make_likelihood(categorical_vae.Config(likelihood_scale=0.3), split)
    assert made.scale == 0.3


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(finished, tmp_path):
    assert small_runs.loaded_afresh(finished, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }


@pytest.mark.parametrize(
    "changes",
    [{"weight_decay": 0.01}, {"weight_average": 0.9}, {"code_values": "plus_minus"}],
    ids=lambda changes: next(iter(changes)),
)
def test_flags_that_a_table_cannot_honour_are_refused_before_data_are_read(changes):
    given = {"latents": "tree", "num_categories": 100, "code_embedding": "table", **changes}
    (name,) = changes
    remedy = f"Leave --{name} out, or set --code_embedding=digit_sum. Received: .*{name}="
    with pytest.raises(ValueError, match=remedy):
        categorical_vae.TASK.check(categorical_vae.Config(**given))
    for other in ({"code_embedding": "digit_sum"}, {"num_categories": 10}, {name: {}}):
        plain = {key: value for key, value in {**given, **other}.items() if value != {}}
        categorical_vae.TASK.check(categorical_vae.Config(**plain))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"num_categories": 1000}, r"Set num_categories=1024, or branching=\(25, 40\)"),
        ({"latents": "path", "num_categories": 1025}, "must reach num_categories"),
        ({"latents": "categorical"}, "Only trees and paths have a branching"),
        (
            {"branching": (), "num_categories": 1031},
            "use paths, which allow any number .--latents=path",
        ),
    ],
)
def test_a_branching_that_does_not_fit_is_refused_before_data_are_read(changes, said):
    given = {"latents": "tree", "num_categories": 1024, "branching": (32, 32), **changes}
    with pytest.raises(ValueError, match=said):
        categorical_vae.TASK.check(categorical_vae.Config(**given))
