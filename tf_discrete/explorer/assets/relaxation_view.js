// One sample, relaxed, straight-through and one-hot, with sliders for temperature and logits.

function relaxationView(state) {
  const categories = slider({
    label: "Categories K",
    name: "categories",
    min: 2,
    max: MOST_CATEGORIES,
    step: 1,
    value: state.categories,
    show: String,
    oninput: (value) => state.set({ categories: value }),
  });
  const temperature = slider({
    label: "Temperature", // Its slider is the logarithm, from 0.05 to 10.
    name: "temperature",
    min: -1.3,
    max: 1,
    step: 0.01,
    value: Math.log10(state.temperature),
    show: (value) => (10 ** value).toFixed(2),
    oninput: (value) => state.set({ temperature: 10 ** value }),
  });
  const newNoise = () => state.set({ seed: state.seed + 1, noise: frozenNoise(state.seed + 1) });
  const preset = (make) => () => state.set({ allLogits: times(MOST_CATEGORIES, make) });
  const charts = [
    ["relaxed", "Relaxed", "softmax((logits + noise) / temperature)"],
    ["straight-through", "Straight-through", "one-hot forward; the outline is differentiated"],
    ["one-hot", "One-hot", "argmax(logits + noise), no gradient"],
  ].map(([name, title, text]) => ({
    name,
    title,
    text,
    ...bars({ label: `${title} sample`, kind: name }),
  }));
  const logits = times(MOST_CATEGORIES, (k) =>
    slider({
      label: String(k + 1),
      name: `logit-${k + 1}`,
      min: -4,
      max: 4,
      step: 0.05,
      value: state.allLogits[k],
      show: (value) => signed(value),
      oninput: (value) =>
        state.set({ allLogits: state.allLogits.map((old, other) => (other === k ? value : old)) }),
    }),
  );
  const probs = logits.map(({ element, input }, k) => {
    input.setAttribute("aria-label", `Logit of category ${k + 1}`);
    const shown = h("small", { title: "probability" });
    element.append(shown);
    return shown;
  });

  state.listen(() => {
    const own = logitsOf(state);
    const soft = relaxed(own, noiseOf(state), state.temperature);
    const z = hard(own, noiseOf(state));
    charts[0].update(soft);
    charts[1].update(z, soft);
    charts[2].update(z);
    softmax(own).forEach((p, k) => (probs[k].textContent = percent(p)));
    logits.forEach(({ element, set }, k) => {
      element.hidden = k >= state.categories;
      set(state.allLogits[k]);
    });
    temperature.set(Math.log10(state.temperature));
    categories.set(state.categories);
  });

  return panel(
    "One sample, three ways",
    "The noise stays as it is while you move a slider. As the temperature falls, the relaxed sample becomes " +
      "one-hot; the one-hot sample does not depend on it.",
    h(
      "div",
      { class: "controls" },
      temperature.element,
      categories.element,
      button("New noise", newNoise, { class: "primary", name: "new-noise" }),
    ),
    h(
      "div",
      { class: "columns wide-first" },
      h(
        "div",
        { class: "charts" },
        ...charts.map(({ title, text, element }) =>
          h("figure", {}, element, h("figcaption", {}, h("b", {}, title), h("br"), text)),
        ),
      ),
      h(
        "fieldset",
        { class: "logits" },
        h("legend", {}, "Logits and probabilities"),
        ...logits.map(({ element }) => element),
        h(
          "div",
          { class: "buttons" },
          button("Uniform", preset(() => 0)),
          button("Peaked", preset((k) => (k === 0 ? 3 : 0))),
          button("Mixed", preset((k) => PRESET_LOGITS[k])),
        ),
      ),
    ),
  );
}
