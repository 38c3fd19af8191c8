// The gradient of each pathwise estimator next to the exact one, at the logits and noise of the widget.

function gradientView(state) {
  const objective = h(
    "select",
    { name: "objective", onchange: () => state.set({ objective: objective.value }) },
    ...Object.entries(OBJECTIVES).map(([name, { label }]) =>
      h("option", { value: name, selected: name === state.objective }, label),
    ),
  );
  const values = bars({ label: "f at each category", lowest: -1.2, highest: 1.8 });
  const rows = Object.keys(ESTIMATORS).map((name) => {
    const chart = bars({ label: `Gradient of ${name}`, lowest: -1, highest: 1, captions: false });
    const cells = times(3, () => h("td", {}));
    const row = h(
      "tr",
      { "data-estimator": name },
      h("th", { scope: "row" }, name.replaceAll("_", "_\u200b")),
      h("td", { class: "chart" }, chart.element),
      ...cells,
    );
    return { name, chart, cells, row };
  });
  const exactChart = bars({ label: "Exact gradient", lowest: -1, highest: 1, captions: false });
  const exactRow = h(
    "tr",
    { class: "exact", "data-estimator": "exact" },
    h("th", { scope: "row" }, "exact"),
    h("td", { class: "chart" }, exactChart.element),
    ...times(3, () => h("td", {}, "0")),
  );

  const averages = inNextFrame(() => {
    const exact = exactGradient(logitsOf(state), state.objective);
    for (const { name, cells } of rows) {
      const found = gradientStatistics(name, state, exact);
      const unsure = found.error < 2 * found.standardError;
      cells[1].textContent = unsure ? `≤ ${(found.error + 2 * found.standardError).toFixed(2)}` : found.error.toFixed(2);
      cells[1].className = unsure ? "unsure" : "";
      cells[2].textContent = found.deviation.toFixed(2);
    }
  });

  state.listen(() => {
    const logits = logitsOf(state);
    values.update(logits.map((_, k) => objectiveValue(state.objective, oneHot(k, logits.length))));
    const exact = exactGradient(logits, state.objective);
    const gradients = rows.map(({ name }) =>
      gradientOf(
        name,
        logits,
        noiseOf(state),
        state.temperature,
        state.objective,
        state.noise.exponentials[0],
        state.noise.normals[0],
      ),
    );
    // The exact gradient stays visible where a few estimates are far from it; longer bars are cut, and striped.
    const largest = (gradient) => Math.max(...gradient.map(Math.abs));
    const limit = Math.max(1e-9, 3 * largest(exact), 0.25 * Math.max(...gradients.map(largest)));
    const scaled = (gradient) => gradient.map((value) => value / limit);
    exactChart.update(scaled(exact));
    gradients.forEach((gradient, index) => {
      const { chart, cells, row } = rows[index];
      chart.update(scaled(gradient), scaled(exact));
      cells[0].textContent = Math.hypot(...gradient.map((value, k) => value - exact[k])).toFixed(2);
      row.dataset.gradient = JSON.stringify(gradient);
    });
    exactRow.dataset.gradient = JSON.stringify(exact);
    averages();
  });

  const head = ["estimator", "gradient; outline: exact", "error here", "bias", "std. dev."];
  return panel(
    "Gradients at this point",
    "d f(z) / d logits of every pathwise estimator with the noise above, next to the exact gradient of E f(z). " +
      `Bias and standard deviation are lengths, over ${CLOUD} samples; grey: no bias can be told from noise. Striped bars are cut.`,
    h(
      "div",
      { class: "controls" },
      h("label", {}, "Objective f ", objective),
      h("figure", { class: "inline" }, values.element, h("figcaption", {}, "f at each category")),
    ),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Gradients" },
      h(
        "table",
        { class: "gradients" },
        h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, exactRow, ...rows.map(({ row }) => row)),
      ),
    ),
  );
}
