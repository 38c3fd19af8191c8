// A semi-supervised model: a class and a style, and the image that the decoder makes of them.

function makeClassStyleModel(payload) {
  const { num_classes: classes, style_size: size, data_shape: shape } = payload;
  const network = makeNetwork(payload.decoder, [classes + size]);
  const labels = unpack(payload.examples.classes);
  const styles = unpack(payload.examples.styles);
  const probs = unpack(payload.examples.class_probs);
  return {
    classes,
    size,
    shape,
    labelOf: (index) => labels[index],
    styleOf: (index) => Array.from(styles.subarray(index * size, (index + 1) * size)),
    probsOf: (index) => Array.from(probs.subarray(index * classes, (index + 1) * classes)),
    generate: (label, style) => network(Float32Array.from([...oneHot(label, classes), ...style])),
  };
}

function classStyleView(payload, api) {
  const model = makeClassStyleModel(payload);
  const examples = makeExamples(payload.examples, model.shape);
  const names = payload.examples.class_names || times(model.classes, String);
  const state = makeState({ index: 0, label: model.labelOf(0), style: model.styleOf(0) });
  const select = (index) => state.set({ index, label: model.labelOf(index), style: model.styleOf(index) });
  Object.assign(api, { model, examples, state, select });

  const list = gallery(examples, model.shape, select);
  const original = picture({ class: "picture large" });
  const decoded = picture({ class: "picture large", "aria-label": "Decoded class and style" });
  const classes = times(model.classes, (label) => {
    const made = tile({
      label: `Class ${names[label]} in this style`,
      caption: names[label],
      onclick: () => state.set({ label }),
    });
    made.element.dataset.class = label;
    return made;
  });
  const short = names.every((name) => name.length <= 3);
  const probs = bars({ label: "Probability of each class", captions: short, names });
  const likeliest = h("figcaption", {});
  const sliders = times(model.size, (d) =>
    slider({
      label: `z${d + 1}`,
      name: `style-${d + 1}`,
      min: -3,
      max: 3,
      step: 0.05,
      value: state.style[d],
      show: (value) => signed(value),
      oninput: (value) => state.set({ style: state.style.map((old, other) => (other === d ? value : old)) }),
    }),
  );
  const draw = inNextFrame(() => {
    const started = performance.now();
    paint(decoded, model.generate(state.label, state.style), model.shape);
    api.milliseconds = performance.now() - started;
    classes.forEach(({ canvas }, label) => paint(canvas, model.generate(label, state.style), model.shape));
  });
  state.listen(() => {
    list.select(state.index);
    paint(original, examples.image(state.index), model.shape);
    original.setAttribute("aria-label", `The chosen ${examples.describe(state.index)}`);
    classes.forEach(({ element }, label) => element.setAttribute("aria-pressed", String(label === state.label)));
    const given = model.probsOf(state.index);
    probs.update(given);
    const best = given.indexOf(Math.max(...given));
    likeliest.textContent = `class probabilities: ${names[best]} ${percent(given[best])}`;
    sliders.forEach(({ set }, d) => set(state.style[d]));
    draw();
  });
  const random = randomNumbers(13);
  const newStyle = () => state.set({ style: times(model.size, () => normal(random)) });
  return [
    panel("Choose an image", `${examples.count} images. Choose one with the mouse or the arrow keys.`, list.element),
    panel(
      "Class and style",
      "Click a class to write the same style in it; move a slider to change the style. The decoder runs in this page.",
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          { class: "stage" },
          h("figure", {}, original, h("figcaption", {}, "image")),
          h("figure", {}, decoded, h("figcaption", {}, "decoded")),
          h("figure", { class: "inline" }, probs.element, likeliest),
          h(
            "div",
            { class: "buttons" },
            button("New style", newStyle, { class: "primary", name: "new-style" }),
            button("Style of the image", () => select(state.index), { name: "restore" }),
          ),
        ),
        h("fieldset", { class: "logits styles" }, h("legend", {}, "Style"), ...sliders.map(({ element }) => element)),
      ),
      h("h3", {}, "This style in every class"),
      h("div", { class: "tiles" }, ...classes.map(({ element }) => element)),
    ),
  ];
}
