// Editors of a code: a matrix of variables and categories, or bits, and the strip of one variable.

const MOST_IN_STRIP = 32;

/** A matrix of variables and categories: radio buttons in rows. */
function codeEditor(model, state, setVariable) {
  const cells = times(model.count, (n) =>
    times(model.categories, (k) =>
      h(
        "div",
        {
          class: "cell",
          role: "radio",
          tabindex: "-1",
          "data-variable": n,
          "data-category": k,
          "aria-label": `category ${k}`,
        },
        String(k),
      ),
    ),
  );
  const step = (n) => {
    setVariable(n, (state.code[n] + 1) % model.categories);
    cells[n][state.code[n]].scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const rows = cells.map((row, n) =>
    h(
      "div",
      { class: "row", role: "radiogroup", "aria-label": `Variable ${n + 1}` },
      button(`z${n + 1}`, () => step(n), {
        class: "name",
        tabindex: "-1",
        title: "next category",
        "aria-label": `Variable ${n + 1}: next category`,
      }),
      ...row,
    ),
  );
  const element = h("div", { class: "matrix", style: `--categories: ${model.categories}` }, ...rows);
  const choose = (cell) => setVariable(Number(cell.dataset.variable), Number(cell.dataset.category));
  element.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) choose(cell);
  });
  element.addEventListener("keydown", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const n = Number(cell.dataset.variable);
    const k = Number(cell.dataset.category);
    const moves = { ArrowLeft: [n, k - 1], ArrowRight: [n, k + 1], ArrowUp: [n - 1, null], ArrowDown: [n + 1, null] };
    if (event.key === " " || event.key === "Enter") choose(cell);
    else if (event.key in moves) {
      const row = clamp(moves[event.key][0], 0, model.count - 1);
      const category = moves[event.key][1] ?? state.code[row];
      const wrapped = (category + model.categories) % model.categories;
      if (row === n) setVariable(row, wrapped);
      else state.set({ focused: row });
      cells[row][wrapped].focus();
    } else return;
    event.preventDefault();
  });

  let shaded = -1;
  state.listen(() => {
    const own = model.codeOf(state.index);
    cells.forEach((row, n) => {
      rows[n].classList.toggle("focused", n === state.focused);
      rows[n].classList.toggle("changed", state.code[n] !== own[n]);
      row.forEach((cell, k) => {
        cell.setAttribute("aria-checked", String(state.code[n] === k));
        cell.tabIndex = state.code[n] === k ? 0 : -1;
        cell.classList.toggle("own", own[n] === k);
      });
    });
    if (shaded === state.index) return;
    shaded = state.index;
    cells.forEach((row, n) => {
      const probs = softmax(model.logits(state.index, n));
      row.forEach((cell, k) => {
        cell.style.setProperty("--probability", probs[k].toFixed(3));
        cell.title = `q(z${n + 1} = ${k} | x) = ${percent(probs[k])}`;
      });
    });
  });
  return element;
}

function bitEditor(model, state, setVariable) {
  const cells = times(model.count, (n) =>
    h("button", { type: "button", class: "bit", tabindex: "-1", "data-variable": n, "aria-label": `Bit ${n + 1}` }),
  );
  const element = h("div", { class: "bits", role: "group", "aria-label": "Bits of the code" }, ...cells);
  element.addEventListener("click", (event) => {
    const cell = event.target.closest(".bit");
    if (!cell) return;
    const n = Number(cell.dataset.variable);
    setVariable(n, 1 - state.code[n]);
  });
  const columns = () => {
    const next = cells.findIndex((cell) => cell.offsetTop > cells[0].offsetTop);
    return next < 1 ? cells.length : next;
  };
  arrowKeys(element, () => cells, { columns });
  rove(cells, cells[0]);
  state.listen(() => {
    const own = model.codeOf(state.index);
    cells.forEach((cell, n) => {
      const p = Math.exp(model.logits(state.index, n)[1]);
      cell.setAttribute("aria-pressed", String(state.code[n] === 1));
      cell.textContent = state.code[n];
      cell.classList.toggle("changed", state.code[n] !== own[n]);
      cell.title = `q(z${n + 1} = 1 | x) = ${percent(p)}`;
    });
    rove(cells, cells[state.focused]);
  });
  return element;
}

/** The images of the categories of the variable that was changed last, a page of them at a time. */
function categoryStrip(model, state, setVariable) {
  const count = Math.min(model.categories, MOST_IN_STRIP);
  const pages = Math.ceil(model.categories / count);
  let page = 0;
  const title = h("h3", {});
  const tiles = times(count, (at) =>
    tile({ label: "", onclick: () => setVariable(state.focused, page * count + at) }),
  );
  const draw = inNextFrame(() => {
    const first = page * count;
    const last = Math.min(first + count, model.categories) - 1;
    const which = pages > 1 ? `Categories ${first} to ${last} of ${model.categories}` : "All categories";
    title.textContent = `${which} of z${state.focused + 1}, the rest of the code as it is`;
    tiles.forEach(({ canvas, element, text }, at) => {
      const k = first + at;
      element.hidden = k > last;
      if (k > last) return;
      const code = state.code.map((value, n) => (n === state.focused ? k : value));
      paint(canvas, model.decode(code), model.shape);
      text.textContent = String(k);
      element.setAttribute("aria-label", `Category ${k}`);
      element.setAttribute("aria-pressed", String(k === state.code[state.focused]));
    });
  });
  const turn = (by) => {
    page = (page + by + pages) % pages;
    draw();
  };
  state.listen(() => {
    page = Math.floor(state.code[state.focused] / count);
    draw();
  });
  const turning = h(
    "div",
    { class: "controls" },
    button("Categories before", () => turn(-1), { name: "categories-before" }),
    button("Categories after", () => turn(1), { name: "categories-after" }),
  );
  return h(
    "div",
    { class: "strip" },
    title,
    pages > 1 ? turning : null,
    h("div", { class: "tiles" }, ...tiles.map(({ element }) => element)),
  );
}
