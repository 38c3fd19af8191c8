// What else a code is for: neighbours, samples of the priors, reconstructions at lower temperatures.

const NEIGHBOURS = 8;
const SAMPLES = 12;
const RECONSTRUCTION_TEMPERATURES = [2, 1, 0.5, 0.25, 0.1];

function neighbourPanel(model, examples, state, select) {
  const codes = times(examples.count, model.codeOf);
  const tiles = times(Math.min(NEIGHBOURS, examples.count), (at) =>
    tile({ label: "", onclick: () => select(found[at].index) }),
  );
  let found = [];
  const draw = inNextFrame(() => {
    found = codes
      .map((code, index) => ({ index, distance: model.distance(code, state.code) }))
      .sort((one, other) => one.distance - other.distance || one.index - other.index)
      .slice(0, tiles.length);
    tiles.forEach(({ element, canvas, text }, at) => {
      const { index, distance } = found[at];
      paint(canvas, examples.image(index), model.shape);
      const name = examples.caption(index);
      text.textContent = `${distance}${name ? ` · ${name}` : ""}`;
      element.setAttribute("aria-label", `${examples.describe(index)}, Hamming distance ${distance}`);
      element.dataset.index = index;
      element.dataset.distance = distance;
    });
  });
  state.listen(draw);
  return panel(
    "Nearest neighbours of the code",
    `Images of this page by Hamming distance: how many ${model.bits ? "bits" : "variables"} differ` +
      `${examples.classes.length ? ", and the class" : ""}. Click one to choose it.`,
    h("div", { class: "tiles neighbours" }, ...tiles.map(({ element }) => element)),
  );
}

function samplePanel(model, setCode) {
  let codes = [];
  let temperature = 1;
  let seed = 3;
  let shown = null;
  const tiles = times(SAMPLES, (at) => tile({ label: `Sample ${at + 1}: edit its code`, onclick: () => setCode(codes[at]) }));
  const status = h("p", { class: "note", role: "status" });
  const draw = inNextFrame(() => {
    const random = randomNumbers(seed);
    codes = times(SAMPLES, () => shown.prior(random, temperature));
    tiles.forEach(({ canvas }, at) => paint(canvas, model.decode(codes[at]), model.shape));
    const heated = shown.heated ? ` at temperature ${temperature.toFixed(2)}` : "";
    status.textContent = `Shown: samples of ${shown.name}${heated}.`;
  });
  const kinds = {
    lstm: "the LSTM prior",
    independent: "the learned prior",
    samples: "the second prior, from a list of codes that were sampled when the page was made",
  };
  const own = { name: "the prior", prior: model.prior, heated: false };
  const second = model.codePrior && {
    name: kinds[model.codePriorKind],
    prior: model.codePrior,
    heated: model.codePriorKind === "lstm",
  };
  const sample = (which) => {
    seed += 1;
    shown = which;
    draw();
  };
  const heat = slider({
    label: "Temperature of the LSTM",
    name: "lstm-temperature",
    min: 0.2,
    max: 1.5,
    step: 0.05,
    value: 1,
    show: (value) => value.toFixed(2),
    oninput: (value) => {
      temperature = value;
      shown = second;
      draw();
    },
  });
  shown = second || own;
  draw();
  return panel(
    "Samples of the prior",
    "Codes are sampled in this page and decoded. Click a sample to edit its code above.",
    h(
      "div",
      { class: "controls" },
      button("Sample the prior", () => sample(own), { name: "sample-prior" }),
      second
        ? button(`Sample ${second.name.split(",")[0]}`, () => sample(second), { class: "primary", name: "sample-code-prior" })
        : null,
      second && second.heated ? heat.element : null,
    ),
    status,
    h("div", { class: "tiles" }, ...tiles.map(({ element }) => element)),
  );
}

function temperaturePanel(model, state) {
  let random = randomNumbers(7);
  let noise = [];
  const newNoise = () => (noise = times(model.count, () => times(model.categories, () => gumbel(random))));
  const named = [...RECONSTRUCTION_TEMPERATURES.map((t) => [t, String(t)]), [null, "most probable"]];
  const figures = named.map(([, name]) => {
    const canvas = picture({ "aria-label": `Reconstruction at ${name}` });
    return { canvas, element: h("figure", { class: "small" }, canvas, h("figcaption", {}, name)) };
  });
  const draw = inNextFrame(() => {
    figures.forEach(({ canvas }, at) => {
      const temperature = named[at][0];
      const image =
        temperature === null
          ? model.decode(model.codeOf(state.index))
          : model.decodeRelaxed(state.index, noise, temperature);
      paint(canvas, image, model.shape);
    });
  });
  newNoise();
  state.listen(draw);
  return panel(
    "Reconstructions at lower temperatures",
    "The decoder reads a relaxed sample of the posterior of the chosen image, with the same noise at every temperature.",
    h("div", { class: "controls" }, button("New noise", () => (newNoise(), draw()), { name: "new-posterior-noise" })),
    h("div", { class: "tiles" }, ...figures.map(({ element }) => element)),
  );
}
