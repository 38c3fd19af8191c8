"""The progress of a run is shown in images a second, or in steps where the batch size is unknown."""

import itertools

import pytest

from trainers.common import progress as progress_lib


@pytest.mark.parametrize(("batch_size", "rate"), [(50, "500 images/s"), (0, "10 steps/s")])
def test_the_speed_of_a_run(monkeypatch, capsys, batch_size, rate):
    # The epoch begins; its speed is computed, and the time left.
    clock = itertools.chain([100.0], itertools.repeat(101.0))
    monkeypatch.setattr(progress_lib.time, "monotonic", lambda: next(clock))
    progress = progress_lib.Progress(2, 10, {"loss": "loss"}, batch_size)
    monkeypatch.setattr(progress_lib.tqdm, "tqdm", Bar)
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, {"loss": 2.5})
    assert capsys.readouterr().out == f"epoch 1/2 loss=2.5 {rate}, 1.0 s left\n"


class Bar:
    """A disabled progress bar."""

    disable = True

    def __init__(self, **options):
        assert options["unit"] in (" images", " steps")

    def set_description(self, *arguments, **options):
        pass

    def set_postfix(self, *arguments, **options):
        pass
