// A trained autoencoder: choose an image, edit its code, see what the decoder makes of it.

function codeView(payload, api) {
  const model = makeCodeModel(payload);
  const examples = makeExamples(payload.examples, model.shape);
  const state = makeState({ index: 0, code: model.codeOf(0), focused: 0 });
  const setCode = (code) => state.set({ code });
  const setVariable = (n, value) =>
    state.set({ code: state.code.map((old, other) => (other === n ? value : old)), focused: n });
  const select = (index) => state.set({ index, code: model.codeOf(index) });
  Object.assign(api, { model, examples, state, select, setCode, setVariable });

  const list = gallery(examples, model.shape, select);
  const original = picture({ class: "picture large" });
  const decoded = picture({ class: "picture large", "aria-label": "Decoded image" });
  const status = h("p", { class: "note", role: "status" });
  const draw = inNextFrame(() => {
    const started = performance.now();
    paint(decoded, model.decode(state.code), model.shape);
    api.milliseconds = performance.now() - started;
  });
  state.listen(() => {
    list.select(state.index);
    paint(original, examples.image(state.index), model.shape);
    original.setAttribute("aria-label", `The chosen ${examples.describe(state.index)}`);
    const distance = model.distance(state.code, model.codeOf(state.index));
    const unit = model.bits ? "bits" : "variables";
    status.textContent = distance
      ? `${distance} of ${model.count} ${unit} ${distance === 1 ? "differs" : "differ"} from the code of this image.`
      : "This is the code of the image.";
    draw();
  });

  const random = randomNumbers(11);
  const scramble = () => {
    const n = Math.floor(random() * model.count);
    const shift = 1 + Math.floor(random() * (model.categories - 1));
    setVariable(n, (state.code[n] + shift) % model.categories);
  };
  const unit = model.bits ? "bit" : "variable";
  return [
    panel(
      "Choose an image",
      `${examples.count} images. Choose one with the mouse or the arrow keys.`,
      list.element,
    ),
    panel(
      "Its code, and what the decoder makes of it",
      model.bits
        ? "Click a bit to flip it. The decoder runs in this page."
        : "Each row is a variable, each cell a category; the shade is the " +
          (model.certain ? "code of the image. " : "probability that the encoder gives. ") +
          "Click a cell, or a row's name to go through its categories. The decoder runs in this page.",
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          { class: "stage" },
          h("figure", {}, original, h("figcaption", {}, "image")),
          h("figure", {}, decoded, h("figcaption", {}, "decoded code")),
          status,
          h(
            "div",
            { class: "buttons" },
            button("Code of the image", () => select(state.index), { name: "restore" }),
            button(`Change a ${unit}`, scramble, { name: "scramble" }),
          ),
        ),
        h("div", {}, model.bits ? bitEditor(model, state, setVariable) : codeEditor(model, state, setVariable)),
      ),
      model.bits ? null : categoryStrip(model, state, setVariable),
    ),
    half(neighbourPanel(model, examples, state, select)),
    ...(model.certain ? [] : [half(temperaturePanel(model, state))]),
    samplePanel(model, setCode),
  ];
}
