// Puts the views into an element, for a page of its own or a notebook.

const VIEWS = { codes: codeView, class_style: classStyleView };
const THEMES = ["auto", "light", "dark"];

/** Builds the explorer inside an element; returns what tests and notebooks may call. */
function explore(root, payload) {
  const state = relaxationState();
  const api = { relaxation: state, gradientOf, exactGradient, makeLstm, payload };
  root.classList.add("tfd");
  root.replaceChildren();
  const theme = () => colours(root);
  const simplex = simplexView(state, theme);

  const themeButton = button("Theme: auto", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme || "auto") + 1) % THEMES.length];
    root.dataset.theme = next;
    themeButton.textContent = `Theme: ${next}`;
    simplex.draw();
  });
  const facts = payload
    ? `The weights of the decoder are rounded to ${payload.precision}; for the codes of these images and for random codes its pixels differ ` +
      `from the model's by at most ${payload.largest_error.toExponential(1)}. `
    : "";
  root.append(
    h(
      "header",
      {},
      h("div", {}, h("h1", {}, payload?.title || "Gumbel-Softmax"), h("p", {}, "Discrete latent variables, to look at and touch.")),
      themeButton,
    ),
    ...(payload ? [h("div", { class: "grid" }, ...VIEWS[payload.kind](payload, api))] : []),
    h("h2", { class: "divider" }, "The Gumbel-Softmax distribution"),
    h("div", { class: "grid uneven" }, relaxationView(state), half(simplex.element), half(gradientView(state))),
    h("footer", {}, h("p", {}, facts, "This page is one file: it needs no server and loads nothing.")),
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", simplex.draw);
  addEventListener("resize", simplex.draw);
  return api;
}

/** Inflates a payload and builds the explorer inside an element, which shows the error if that fails. */
async function explorePacked(root, payload) {
  try {
    await inflate(payload);
  } catch (error) {
    root.textContent = error.message;
    return null;
  }
  return explore(root, payload);
}

/** Builds the explorer in a page of its own. */
async function start() {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  globalThis.explorer = await explorePacked(document.getElementById("explorer"), payload);
}
