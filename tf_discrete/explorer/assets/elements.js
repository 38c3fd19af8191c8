// Elements of the page: tags, bars, pictures, groups that the arrow keys move through.

/** Creates an element; `on...` attributes are listeners, and booleans set or leave out an attribute. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return element;
}

const percent = (p) => (p >= 0.995 ? "100 %" : p >= 0.0995 ? `${Math.round(100 * p)} %` : `${(100 * p).toFixed(1)} %`);
const signed = (value, digits = 2) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);

/** A section of the page; `half` lets two of them share a row on a wide screen. */
function panel(title, text, ...children) {
  const heading = h("h2", {}, title);
  return h("section", { class: "panel" }, heading, text && h("p", { class: "lead" }, text), ...children);
}

function half(section) {
  section.classList.add("half");
  return section;
}

/** A labelled slider; `show` writes its value, `set` moves it without telling. */
function slider({ label, min, max, step, value, show, oninput, name }) {
  const output = h("output", {}, show(value));
  const input = h("input", { type: "range", min, max, step, value, name, "aria-label": label });
  input.setAttribute("aria-valuetext", show(value));
  const set = (number) => {
    input.value = number;
    output.textContent = show(number);
    input.setAttribute("aria-valuetext", show(number));
  };
  input.addEventListener("input", () => {
    const number = Number(input.value);
    set(number);
    oninput(number);
  });
  const element = h("label", { class: "slider" }, h("span", {}, label), input, output);
  return { element, input, set };
}

const button = (text, onclick, attributes = {}) =>
  h("button", { type: "button", onclick, ...attributes }, text);

/** A chart of bars in [lowest, highest]; `update(values, ghost)` moves them, `ghost` is drawn as outlines.
 *  The captions are `names`, or else the numbers from 1 on. */
function bars({ label, lowest = 0, highest = 1, kind = "", captions = true, names = null }) {
  const element = h("div", { class: `bars ${kind}`, role: "img" });
  const zero = (100 * highest) / (highest - lowest);
  function place(part, value) {
    const size = (100 * Math.abs(clamp(value, lowest, highest))) / (highest - lowest);
    part.classList.toggle("clipped", value > highest || value < lowest);
    part.style.top = `${value >= 0 ? zero - size : zero}%`;
    part.style.height = `${size}%`;
  }
  function update(values, ghost) {
    if (element.children.length !== values.length) {
      element.replaceChildren(
        ...values.map((_, k) =>
          h(
            "div",
            { class: "bar", title: names && names[k] },
            h("div", { class: "track" }, h("i", { class: "fill" }), h("i", { class: "ghost" })),
            captions ? h("span", {}, names ? names[k] : String(k + 1)) : null,
          ),
        ),
      );
    }
    values.forEach((value, k) => {
      const track = element.children[k].firstChild;
      place(track.children[0], value);
      track.children[1].hidden = !ghost;
      if (ghost) place(track.children[1], ghost[k]);
      element.children[k].dataset.value = value;
    });
    const said = values.map((value, k) => (names ? `${names[k]} ${signed(value)}` : signed(value)));
    element.setAttribute("aria-label", `${label}: ${said.join(", ")}`);
  }
  return { element, update };
}

/** Draws an image, floats in [0, 1], on a canvas of as many pixels. */
function paint(canvas, image, [height, width, channels]) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const data = context.createImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = image[pixel * channels + (channels === 3 ? channel : 0)];
      data.data[4 * pixel + channel] = Math.round(255 * clamp(value, 0, 1));
    }
    data.data[4 * pixel + 3] = 255;
  }
  context.putImageData(data, 0, 0);
}

const picture = (attributes = {}) => h("canvas", { class: "picture", role: "img", ...attributes });

/** A button with an image and a caption. */
function tile({ label, caption, onclick, large = false }) {
  const canvas = h("canvas", { class: "picture" });
  const text = h("span", {}, caption || "");
  const element = h(
    "button",
    { type: "button", class: large ? "tile large" : "tile", "aria-label": label, onclick },
    canvas,
    text,
  );
  return { element, canvas, text };
}

/** Lets the arrow keys move through the items of a group; only one of them is a tab stop. */
function arrowKeys(group, items, { columns = () => 1, choose } = {}) {
  group.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns(),
      ArrowDown: columns(),
      Home: -at,
      End: all.length - 1 - at,
    };
    if (at < 0 || !(event.key in steps)) return;
    const next = all[clamp(at + steps[event.key], 0, all.length - 1)];
    event.preventDefault();
    rove(all, next);
    next.focus();
    if (choose) choose(next);
  });
}

function rove(items, current) {
  items.forEach((item) => (item.tabIndex = item === current ? 0 : -1));
}

/** Calls a function before the next frame, once however often it was asked for. */
function inNextFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}

/** Colours of the theme as [red, green, blue], for canvases. */
function colours(root) {
  const probe = h("span", { hidden: true });
  root.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };
  const found = Object.fromEntries(
    ["panel", "ink", "muted", "line", "accent", "warm", "density"].map((name) => [name, read(name)]),
  );
  probe.remove();
  return found;
}

const css = (rgb, alpha = 1) => `rgba(${rgb.map(Math.round).join(",")},${alpha})`;
