from __future__ import annotations

import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import forked
from tf_discrete.optimizers import FusedAdam

SHAPES = [(7, 5), (5,), (), (3, 2, 4)]


def gradients(step: int, dtype: str = "float32") -> list[tf.Tensor]:
    """Gradients of very different sizes, other ones at each step."""
    rng = np.random.default_rng(step)
    scales = 10.0 ** rng.uniform(-4, 2, len(SHAPES))
    return [tf.constant(x * rng.normal(size=s), dtype) for x, s in zip(scales, SHAPES, strict=True)]


def train(
    optimizer: keras.Optimizer, steps: int, dtype: str = "float32", jit: bool = False
) -> list[np.ndarray]:
    """The variables after some steps, those of the optimizer last."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=s), dtype=dtype) for s in SHAPES]
    optimizer.build(variables)
    apply = tf.function(lambda g: optimizer.apply(g, variables), jit_compile=jit, autograph=False)
    for step in range(steps):
        apply(gradients(step, dtype))
    optimizer.finalize_variable_values(variables)
    return [np.asarray(v) for v in (*variables, *optimizer.variables)]


def assert_same(actual: list[np.ndarray], expected: list[np.ndarray]):
    """The weights agree to 1e-6; the moments as far as a rounded beta allows."""
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-6 if i < len(SHAPES) else 2e-5, atol=1e-6)


def ops_of(function: tf.types.experimental.ConcreteFunction) -> set[str]:
    """The types of all operations of a graph, those of its branches too."""
    graph = function.graph.as_graph_def()
    return {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def update_ops(optimizer: keras.Optimizer, dtype: str = "float32") -> set[str]:
    """The types of the operations of one dense update."""
    variable = keras.Variable(np.ones([3]), dtype=dtype)
    optimizer.build([variable])
    step = tf.function(lambda g: optimizer.apply([g], [variable]), autograph=False)
    return ops_of(step.get_concrete_function(tf.TensorSpec([3], dtype)))


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("rate", [1e-3, 0.1])
def test_equals_adam_over_many_steps(rate, jit):
    assert_same(train(FusedAdam(rate), 150, jit=jit), train(keras.optimizers.Adam(rate), 150))


def test_equals_adam_in_float64_to_the_last_digits():
    expected = train(keras.optimizers.Adam(0.01), 120, "float64")
    for a, b in zip(train(FusedAdam(0.01), 120, "float64"), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "options",
    [
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"amsgrad": True},
        {"weight_decay": 0.1},
        {"clipnorm": 0.5},
        {"global_clipnorm": 0.5},
        {"clipvalue": 0.1},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 7},
        {"loss_scale_factor": 8.0},
        {"gradient_accumulation_steps": 3},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.8)},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 20)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_takes_the_options_of_adam(options):
    fused = train(FusedAdam(**{"learning_rate": 0.01, **options}), 31)
    assert_same(fused, train(keras.optimizers.Adam(**{"learning_rate": 0.01, **options}), 31))


def test_takes_one_kernel_for_each_variable():
    assert "ResourceApplyAdam" in update_ops(FusedAdam())
    assert "ResourceApplyAdam" in update_ops(FusedAdam(gradient_accumulation_steps=2))
    assert "ResourceApplyAdam" not in update_ops(keras.optimizers.Adam())


def test_amsgrad_and_half_precision_take_keras_own_update():
    assert "ResourceApplyAdam" not in update_ops(FusedAdam(amsgrad=True))
    assert "ResourceApplyAdam" not in update_ops(FusedAdam(), "float16")


@pytest.mark.parametrize("make", [FusedAdam, keras.optimizers.Adam])
def test_follows_a_learning_rate_that_is_set_between_steps(make):
    optimizer = make(0.5)
    x = keras.Variable([1.0])
    optimizer.build([x])
    apply = tf.function(lambda g: optimizer.apply([g], [x]), autograph=False)
    apply(tf.constant([3.0]))
    optimizer.learning_rate = 0.125
    apply(tf.constant([3.0]))
    np.testing.assert_allclose(x.numpy(), [1.0 - 0.5 - 0.125], rtol=1e-4)


def train_table(optimizer: keras.Optimizer, in_graph: bool) -> list[np.ndarray]:
    """A table of which each step reads some rows, and the variables of the optimizer."""
    table = keras.Variable(np.arange(12.0).reshape(6, 2), dtype="float32")
    optimizer.build([table])

    def step(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table.value, rows) ** 2)
        gradient = tape.gradient(loss, table.value)
        assert isinstance(gradient, tf.IndexedSlices)
        optimizer.apply([gradient], [table])

    step = tf.function(step, autograph=False) if in_graph else step
    for rows in ([0, 1], [1, 1], [5, 0]):
        step(tf.constant(rows))
    return [np.asarray(v) for v in (table, *optimizer.variables)]


@pytest.mark.parametrize("in_graph", [False, True])
def test_sparse_gradients_update_as_adam_does(in_graph):
    results = (train_table(make(0.1), in_graph) for make in (FusedAdam, keras.optimizers.Adam))
    assert_same(*results)


def make_model(optimizer: keras.Optimizer, **compile_arguments) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Input([4]), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.compile(optimizer, loss="mse", **compile_arguments)
    model.optimizer.build(model.trainable_variables)  # Otherwise Keras traces the step twice.
    return model


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=[64, 4]).astype("float32")
    return x, x[:, :1] ** 2 - x[:, 1:2]


def fit(model: keras.Model, data: tuple[np.ndarray, np.ndarray], epochs: int = 3) -> list[float]:
    """The losses of some epochs without shuffling."""
    return model.fit(*data, epochs=epochs, batch_size=16, shuffle=False, verbose=0).history["loss"]


@pytest.fixture(scope="module")
def of_adam(data) -> list[float]:
    """The losses of Keras' Adam, however the model is compiled."""
    return fit(make_model(keras.optimizers.Adam(0.01)), data)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_trains_a_compiled_model_as_adam_does(data, of_adam, jit, steps_per_execution):
    options = {"jit_compile": jit, "steps_per_execution": steps_per_execution}
    np.testing.assert_allclose(
        fit(make_model(FusedAdam(0.01), **options), data), of_adam, rtol=1e-5
    )


def test_config_round_trip():
    optimizer = FusedAdam(
        keras.optimizers.schedules.CosineDecay(0.1, 20), beta_1=0.8, clipnorm=1.0, amsgrad=True
    )
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is FusedAdam
    assert keras.optimizers.serialize(again) == keras.optimizers.serialize(optimizer)


def test_keras_file_continues_training_where_it_stopped(data, tmp_path):
    model = make_model(FusedAdam(0.01))
    fit(model, data)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is FusedAdam
    assert int(again.optimizer.iterations) == 12
    assert fit(again, data) == fit(model, data)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("saved_by", [FusedAdam, keras.optimizers.Adam])
def test_checkpoint_continues_training_where_it_stopped(data, tmp_path, saved_by):
    model = make_model(saved_by(0.01))
    fit(model, data)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(str(tmp_path / "c"))
    again = make_model(FusedAdam(0.01))
    restored = tf.train.Checkpoint(model=again, optimizer=again.optimizer).restore(path)
    restored.assert_consumed()
    assert int(again.optimizer.iterations) == 12
    np.testing.assert_allclose(fit(again, data), fit(model, data), rtol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(data, policy):
    losses = []
    keras.config.set_dtype_policy(policy)
    try:
        for make in (FusedAdam, keras.optimizers.Adam):
            model = make_model(make(0.01))
            wrapped = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
            assert wrapped == (policy == "mixed_float16")
            losses.append(fit(model, data))
            assert all(v.dtype == "float32" for v in model.trainable_variables)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)
    assert losses[0][-1] < losses[0][0]


def test_loss_scaling_skips_steps_that_are_not_finite():
    optimizer = keras.optimizers.LossScaleOptimizer(FusedAdam(0.1), initial_scale=4.0)
    x = keras.Variable([1.0, 2.0])
    optimizer.build([x])
    apply = tf.function(lambda g: optimizer.apply([g], [x]), autograph=False)
    apply(tf.constant([np.nan, 1.0]))
    assert x.numpy().tolist() == [1.0, 2.0]
    assert float(optimizer.dynamic_scale) == 2.0
    apply(tf.constant([1.0, 1.0]))
    np.testing.assert_allclose(x.numpy(), [0.9, 1.9], rtol=1e-5)


def test_variables_of_a_strategy_take_keras_own_update():
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        variable = keras.Variable(tf.ones([3]))
        optimizer = FusedAdam(0.1)
        optimizer.build([variable])
    strategy = optimizer._distribution_strategy

    def step(gradient):
        strategy.run(lambda g: optimizer.apply([g], [variable]), args=(gradient,))

    traced = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec([3]))
    assert "ResourceApplyAdam" not in ops_of(traced)
    traced(tf.constant([1.0, -1.0, 2.0]))
    np.testing.assert_allclose(variable.numpy(), [0.9, 1.1, 0.9], rtol=1e-5)


@pytest.mark.slow
def test_two_replicas_stay_equal_to_adam():
    program = textwrap.dedent(
        """
        import keras, numpy as np, tensorflow as tf
        from tf_discrete.optimizers import FusedAdam
        (device,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
        x = np.random.default_rng(0).normal(size=[64, 4]).astype("float32")
        losses = []
        for make in (FusedAdam, keras.optimizers.Adam):
            keras.utils.set_random_seed(0)
            with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
                model = keras.Sequential([keras.layers.Input([4]), keras.layers.Dense(3)])
                model.compile(make(0.01), loss="mse", jit_compile=False)
            history = model.fit(x, x[:, :3], batch_size=16, epochs=3, shuffle=False, verbose=0)
            losses.append(history.history["loss"])
        np.testing.assert_allclose(*losses, rtol=1e-6)
        assert losses[0][-1] < losses[0][0]
        """
    )
    result = forked.run("-c", program)
    assert result.returncode == 0, result.stderr
