"""`CodeUsageCallback`: how the latent codes are used, epoch by epoch."""

from __future__ import annotations

import keras

from tf_discrete._internal import checks
from tf_discrete.callbacks import code_reader
from tf_discrete.evaluation import CodeUsage, Usage
from tf_discrete.types import DataLike, Logs


class CodeUsageCallback(keras.callbacks.Callback):
    """Encodes a sample of data at the end of epochs and logs how its codes use the latent variables.

    Logged: `usage/perplexity` and `usage/perplexity_min` (mean and minimum over the variables of the
    effective number of categories), `usage/active_units`, and `usage/mutual_information_nats` between
    the data and a variable, averaged over the variables. List it before callbacks that write the log to
    a file. `usage` holds all the numbers of the last measurement, `None` before the first.

    Args:
        data: arrays or a batched `tf.data.Dataset`, as `fit` takes them; labels are not read.
        every: How often, in epochs, usage is measured. Default: 1.
        layer: Name of the stochastic layer, for a model that holds several. Default: the only one.
        max_examples: Number of examples of `data` that are encoded, from the start. Default: 2000.
        batch_size: Batch size for arrays. Default: 256.

    Raises:
        ValueError: sizes < 1; when training begins, a model without discrete latents.

    Example:
        >>> import numpy as np
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE([4], num_variables=3, num_categories=2, hidden_units=[8])
        >>> model.compile("adam")
        >>> x = np.eye(4, dtype="float32")
        >>> history = model.fit(x, verbose=0, callbacks=[CodeUsageCallback(x)]).history
        >>> 1.0 <= history["usage/perplexity"][0] <= 2.0
        True
    """

    def __init__(
        self,
        data: DataLike,
        every: int = 1,
        layer: str | None = None,
        max_examples: int = 2000,
        batch_size: int = 256,
    ):
        super().__init__()
        code_reader.check_data(data)
        self.data = data
        self.every = checks.whole("every", every)
        self.layer = checks.optional(checks.text, "layer", layer)
        self.max_examples = checks.whole("max_examples", max_examples, 1, checks.INT64_MAX)
        self.batch_size = checks.whole("batch_size", batch_size)
        self.usage: Usage | None = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self._read = code_reader.code_reader(model, self.layer)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self.usage = self.measure()
            self.report(epoch, self.usage, logs)

    def report(self, epoch: int, usage: Usage, logs: Logs | None) -> None:
        """Adds the measured usage to `logs` of the epoch."""
        if logs is not None and usage.mutual_information is not None:
            logs["usage/perplexity"] = float(usage.perplexity.mean())
            logs["usage/perplexity_min"] = float(usage.perplexity.min())
            logs["usage/active_units"] = usage.active_units
            logs["usage/mutual_information_nats"] = float(usage.mutual_information.mean())

    def measure(self) -> Usage:
        """Encodes the data with the model as it is now."""
        counted: CodeUsage | None = None
        for x in code_reader.input_batches(self.data, self.max_examples, self.batch_size):
            codes, probs = self._read(x)
            if counted is None:
                if probs is None:
                    categories = self.model.num_categories
                else:
                    categories = probs.shape[2] if probs.shape.rank == 3 else 2
                counted = CodeUsage(codes.shape[1], categories, deterministic=probs is None)
            counted.update(codes.numpy(), None if probs is None else probs.numpy())
        if counted is None or not counted.num_examples:
            raise ValueError(
                "data must hold at least one example, or there is nothing to encode. "
                f"Received: data={type(self.data).__name__} without examples"
            )
        return counted.result()
