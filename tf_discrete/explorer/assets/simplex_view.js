// Samples of the relaxation and its density: a triangle of three categories, or a line of two.

const HEIGHT = Math.sqrt(3) / 2;

function simplexView(state, theme) {
  const canvas = h("canvas", { class: "simplex", role: "img" });
  const note = h("p", { class: "note" });

  const draw = inNextFrame(() => {
    const size = Math.max(240, Math.round(canvas.clientWidth || 420));
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    canvas.width = Math.round(size * ratio);
    canvas.height = Math.round((size * HEIGHT + 14) * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const three = Math.min(3, state.categories);
    const logits = logitsOf(state).slice(0, three);
    const samples = state.noise.cloud.map((noise) => relaxed(logits, noise.slice(0, three), state.temperature));
    const own = relaxed(logits, state.noise.one.slice(0, three), state.temperature);
    const paintOn = three === 2 ? drawLine : drawTriangle;
    paintOn(context, size, { logits, samples, own, temperature: state.temperature, palette: theme() });
    const mean = samples.reduce((total, y) => total + Math.max(...y), 0) / samples.length;
    const text =
      `${CLOUD} samples at temperature ${state.temperature.toFixed(2)}; the largest of their ` +
      `categories has ${percent(mean)} on average.`;
    canvas.setAttribute("aria-label", text);
    note.textContent =
      text +
      (state.categories > 3
        ? " Of the first three categories: rescaled to sum to 1, they are a Gumbel-Softmax sample of three logits."
        : "");
  });
  state.listen(draw);

  const element = panel(
    "The distribution on the simplex",
    "Shade: log density. Points: samples with frozen noise. Ring: the sample above. At temperatures up to " +
      "1/2 for three categories, and 1 for two, all modes are at the corners.",
    canvas,
    note,
  );
  return { element, draw };
}

function drawTriangle(context, size, { logits, samples, own, temperature, palette }) {
  const margin = 26;
  const side = size - 2 * margin;
  const corners = [
    [margin, margin + side * HEIGHT],
    [margin + side, margin + side * HEIGHT],
    [margin + side / 2, margin],
  ];
  const place = (y) => [0, 1].map((axis) => sum(y.map((value, k) => value * corners[k][axis])));
  shade(context, side, [margin, margin], logits, temperature, palette);
  context.strokeStyle = css(palette.line);
  context.lineWidth = 1.5;
  context.beginPath();
  corners.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.stroke();
  points(context, samples.map(place), place(own), palette);
  context.fillStyle = css(palette.ink);
  context.font = "600 14px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText("1", corners[0][0] - 12, corners[0][1] + 14);
  context.fillText("2", corners[1][0] + 12, corners[1][1] + 14);
  context.fillText("3", corners[2][0], corners[2][1] - 10);
}

/** Paints the log density in a triangle, from 99.5 % of its values down by 6 nats. */
function shade(context, side, [left, top], logits, temperature, palette) {
  const columns = 150;
  const rows = Math.round(columns * HEIGHT);
  const values = new Float32Array(rows * columns).fill(NaN);
  const inside = [];
  for (let row = 0; row < rows; row++) {
    const third = 1 - (row + 0.5) / rows;
    for (let column = 0; column < columns; column++) {
      const second = (column + 0.5) / columns - third / 2;
      const first = 1 - second - third;
      if (first <= 0 || second <= 0) continue;
      const value = logDensity(logits, temperature, [Math.log(first), Math.log(second), Math.log(third)]);
      values[row * columns + column] = value;
      inside.push(value);
    }
  }
  inside.sort((a, b) => a - b);
  const highest = inside[Math.floor(0.995 * inside.length)];
  const lowest = Math.max(inside[0], highest - 6);
  const picture = new ImageData(columns, rows);
  values.forEach((value, pixel) => {
    if (Number.isNaN(value)) return;
    const strength = clamp((value - lowest) / (highest - lowest + 1e-9), 0, 1) ** 1.5;
    palette.density.forEach((colour, channel) => (picture.data[4 * pixel + channel] = colour));
    picture.data[4 * pixel + 3] = 255 * 0.8 * strength;
  });
  const small = h("canvas", { width: columns, height: rows });
  small.getContext("2d").putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, left, top, side, side * HEIGHT);
}

function drawLine(context, size, { logits, samples, own, temperature, palette }) {
  const margin = 30;
  const width = size - 2 * margin;
  const base = size * HEIGHT - margin;
  const height = base - margin;
  const densities = times(200, (index) => {
    const y = (index + 0.5) / 200;
    return Math.exp(logDensity(logits, temperature, [Math.log(1 - y), Math.log(y)]));
  });
  const sorted = [...densities].sort((a, b) => a - b);
  const highest = Math.min(sorted[199], 3 * sorted[150] + 0.5);
  context.beginPath();
  context.moveTo(margin, base);
  densities.forEach((density, index) => {
    const y = base - height * Math.min(1, density / highest);
    context.lineTo(margin + (width * (index + 0.5)) / 200, y);
  });
  context.lineTo(margin + width, base);
  context.fillStyle = css(palette.density, 0.45);
  context.fill();
  context.strokeStyle = css(palette.line);
  context.strokeRect(margin, margin, width, height);
  const random = randomNumbers(5);
  const place = (y) => [margin + width * y[1], base - 4 - 10 * random()];
  points(context, samples.map(place), [margin + width * own[1], base - 9], palette);
  context.fillStyle = css(palette.ink);
  context.font = "600 14px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText("1", margin, base + 20);
  context.fillText("2", margin + width, base + 20);
}

function points(context, places, own, palette) {
  context.fillStyle = css(palette.ink, 0.45);
  for (const [x, y] of places) {
    context.beginPath();
    context.arc(x, y, 1.5, 0, 2 * Math.PI);
    context.fill();
  }
  context.beginPath();
  context.arc(own[0], own[1], 7, 0, 2 * Math.PI);
  context.lineWidth = 3;
  context.strokeStyle = css(palette.warm);
  context.stroke();
}
