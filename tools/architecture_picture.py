"""Draws docs/images/architecture.svg, from images to metrics: python -m tools.architecture_picture."""

from __future__ import annotations

import html
import pathlib

TARGET = pathlib.Path(__file__).resolve().parent.parent / "docs" / "images" / "architecture.svg"
WIDTH, HEIGHT = 920, 420
BOX_WIDTH, BOX_HEIGHT = 190, 74
COLUMNS, ROWS = (20, 250, 480, 710), (40, 170, 300)
BOXES = {
    # name: (column, row, title, lines, whether it is discrete mathematics)
    "batch": (0, 0, "batch", ("datasets.Split.batches", "x  [B, H, W, C]"), False),
    "encoder": (1, 0, "encoder", ("models/networks.py", "logits  [B, N, K]"), False),
    "posterior": (2, 0, "posterior q(z | x)", ("distributions/", "log-prob, KL, codes"), True),
    "estimator": (3, 0, "estimator", ("estimators/, noise of a seed", "z  [S, B, N, K]"), True),
    "decoder": (3, 1, "decoder", ("models/networks.py", "parameters  [S, B, ...]"), False),
    "likelihood": (2, 1, "likelihood", ("likelihoods/", "log p(x | z)  [S, B]"), False),
    "prior": (1, 1, "KL to the prior p(z)", ("objectives/elbo.py", "kl_nats  [B]"), True),
    "objective": (2, 2, "objective", ("objectives/", "loss per example  [B]"), True),
    "step": (1, 2, "train_step", ("models/training_step.py", "gradient, optimizer"), False),
    "metrics": (0, 2, "metrics", ("discrete ELBO, KL,", "gradient norm"), False),
}
ARROWS = (
    ("batch", "encoder"),
    ("encoder", "posterior"),
    ("posterior", "estimator"),
    ("estimator", "decoder"),
    ("decoder", "likelihood"),
    ("likelihood", "objective"),
    ("posterior", "prior"),
    ("prior", "objective"),
    ("objective", "step"),
    ("step", "metrics"),
)


def svg() -> str:
    """The picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" text-anchor="middle">',
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#444"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for start, end in ARROWS:
        (x1, y1), (x2, y2) = _ends(start, end)
        parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#444" stroke-width="1.6" '
            'marker-end="url(#head)"/>'
        )
    for column, row, title, lines, discrete in BOXES.values():
        x, y = COLUMNS[column], ROWS[row]
        fill = "#dce9f7" if discrete else "#f3f1ea"
        parts.append(
            f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" fill="{fill}" '
            'stroke="#444"/>'
        )
        middle = x + BOX_WIDTH // 2
        parts.append(
            f'<text x="{middle}" y="{y + 24}" font-size="15" font-weight="bold">'
            f"{html.escape(title)}</text>"
        )
        for index, line in enumerate(lines):
            place = y + 44 + 18 * index
            parts.append(
                f'<text x="{middle}" y="{place}" font-size="12">{html.escape(line)}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def _ends(start: str, end: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where an arrow leaves a box and enters another: at the sides that face each other."""
    (c1, r1), (c2, r2) = BOXES[start][:2], BOXES[end][:2]
    x1, y1, x2, y2 = COLUMNS[c1], ROWS[r1], COLUMNS[c2], ROWS[r2]
    half, middle = BOX_WIDTH // 2, BOX_HEIGHT // 2
    if r1 == r2:
        right = c2 > c1
        return (x1 + BOX_WIDTH * right, y1 + middle), (x2 + BOX_WIDTH * (not right), y2 + middle)
    shift = 0 if c1 == c2 else 60 if c2 > c1 else -60
    return (x1 + half + shift, y1 + BOX_HEIGHT), (x2 + half - shift, y2)


if __name__ == "__main__":
    TARGET.write_text(svg())
