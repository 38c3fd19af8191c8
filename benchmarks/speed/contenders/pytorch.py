"""The contenders in PyTorch: a bare loop that adds up the loss, eager and compiled, with each Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.speed.interleaved import Turn
from benchmarks.speed.setting import ALPHA, PEAK_SIZE, PIXELS, Setting, labels, peak

TITLES = {
    "torch_eager": "PyTorch eager",
    "torch_eager_foreach": "PyTorch eager, foreach Adam",
    "torch_eager_fused": "PyTorch eager, fused Adam",
    "torch_compile": "PyTorch torch.compile",
    "torch_compile_fused": "PyTorch torch.compile, fused Adam",
    "torch_compile_all": "PyTorch torch.compile, compiled Adam",
}
ON_GPU = {"torch_compile_graphs": "PyTorch torch.compile, CUDA graphs"}


def make(images: np.ndarray, setting: Setting, name: str) -> tuple[Turn, dict[str, float]]:
    """Returns a generator that trains `setting.steps` steps for each turn, and the peak of PyTorch."""
    import torch

    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    # As TensorFlow and XLA do: from some hundred steps on, the MLP's step would take twice as long.
    torch.set_flush_denormal(True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    square = torch.ones([PEAK_SIZE, PEAK_SIZE], dtype=getattr(torch, setting.dtype), device=device)
    facts = {"peak": peak(lambda: (square @ square)[0, 0].item())}
    return _train(images, setting, name, device), facts


def _train(images: np.ndarray, setting: Setting, name: str, device: str) -> Turn:
    import torch
    from torch import nn
    from torch.nn import functional as F

    sizes = setting.sizes
    data = torch.from_numpy(images).float().to(device)
    half = setting.dtype == "bfloat16"

    def mlp(*units: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(units, units[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def bernoulli(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        uniform = torch.rand_like(logits)
        z = torch.sigmoid(logits + uniform.log() - (-uniform).log1p())
        entropy = F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="sum")
        return z, logits.numel() * float(np.log(2.0)) - entropy

    def categorical(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = logits.view(-1, sizes.variables, sizes.categories)
        gumbel = -torch.empty_like(logits).exponential_().log()
        log_q = torch.log_softmax(logits, dim=-1)
        kl = (log_q.exp() * (log_q + float(np.log(sizes.categories)))).sum()
        return torch.softmax(logits + gumbel, dim=-1).flatten(1), kl

    draw = bernoulli if sizes.latents == "bernoulli" else categorical
    log_classes = float(np.log(sizes.categories))

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            size = images.shape[1]
            self.encoder = mlp(size, *sizes.hidden, sizes.logits)
            self.decoder = mlp(sizes.logits, *reversed(sizes.hidden), size)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast(device, torch.bfloat16, enabled=half):
                logits = self.encoder(x).float()
                z, kl = draw(logits)
                pixels = self.decoder(z).float()
            reconstruction = F.binary_cross_entropy_with_logits(pixels, x, reduction="sum")
            return (reconstruction + kl) / len(x)

    class M2(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            first = sizes.hidden[0]
            self.classifier = mlp(PIXELS, *sizes.hidden, sizes.categories)
            self.style_image = nn.Linear(PIXELS, first)
            self.style_class = nn.Linear(sizes.categories, first, bias=False)
            self.style = mlp(*sizes.hidden, 2 * sizes.style)
            self.decoder = mlp(sizes.categories + sizes.style, *reversed(sizes.hidden), PIXELS)
            one_hot = F.one_hot(torch.from_numpy(labels(setting.batch)), sizes.categories)
            self.register_buffer("known", one_hot.float())
            self.register_buffer("labelled", data[: setting.batch])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch = len(x)
            rows = torch.cat([self.labelled, x])
            with torch.autocast(device, torch.bfloat16, enabled=half):
                logits = self.classifier(rows).float()
                guessed, class_kl = categorical(logits[batch:])
                y = torch.cat([self.known, guessed])
                h = torch.relu(self.style_image(rows) + self.style_class(y))
                mean, log_scale = self.style(h).float().chunk(2, dim=-1)
                z = mean + log_scale.exp() * torch.randn_like(mean)
                pixels = self.decoder(torch.cat([y, z], dim=-1)).float()
            reconstruction = F.binary_cross_entropy_with_logits(pixels, rows, reduction="sum")
            style_kl = 0.5 * (mean**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).sum()
            of_class = F.cross_entropy(logits[:batch], self.known, reduction="sum")
            terms = reconstruction + style_kl + class_kl + batch * log_classes + ALPHA * of_class
            return terms / len(rows)

    model = (M2() if sizes.style else VAE()).to(device)
    kind = name.split("_")[-1]
    options = {
        "fused": {"fused": True},
        "foreach": {"foreach": True},
        "all": {"foreach": True},
        "graphs": {"fused": True, "capturable": True},
    }
    adam = torch.optim.Adam(model.parameters(), 1e-3, **options.get(kind, {}))
    mode = "reduce-overhead" if kind == "graphs" else None
    loss_of: Callable = torch.compile(model, mode=mode) if "compile" in name else model
    update: Callable = torch.compile(adam.step) if kind == "all" else adam.step

    def batches() -> Iterator[torch.Tensor]:
        while True:
            order = torch.randperm(len(data), device=device)
            for start in range(0, len(data) - setting.batch + 1, setting.batch):
                yield data[order[start : start + setting.batch]]

    source = batches()
    while True:
        total = torch.zeros([], device=device)
        for _ in range(setting.steps):
            loss = loss_of(next(source))
            adam.zero_grad(set_to_none=True)
            loss.backward()
            update()
            total += loss.detach()
        yield float(total) / setting.steps
