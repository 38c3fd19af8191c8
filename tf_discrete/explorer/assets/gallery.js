// The images of the page, and a list to choose one from.

function makeExamples(packed, shape) {
  const pixels = unpack(packed.pixels);
  const size = shape[0] * shape[1] * shape[2];
  const { labels, class_names: names } = packed;
  const nameOf = (label) => (label < 0 ? "no label" : names ? names[label] : String(label));
  return {
    count: pixels.length / size,
    image: (index) => Float32Array.from(pixels.subarray(index * size, (index + 1) * size), (v) => v / 255),
    label: (index) => (labels ? labels[index] : -1),
    caption: (index) => (labels ? nameOf(labels[index]) : ""),
    describe: (index) => `image ${index + 1}${labels ? `, class ${nameOf(labels[index])}` : ""}`,
    classes: labels ? [...new Set(labels)].sort((a, b) => a - b).map((label) => [label, nameOf(label)]) : [],
  };
}

/** A list of images; choosing one calls choose(index). */
function gallery(examples, shape, choose) {
  const options = times(examples.count, (index) => {
    const canvas = h("canvas", { class: "picture" });
    paint(canvas, examples.image(index), shape);
    return h(
      "div",
      {
        role: "option",
        tabindex: "-1",
        "data-index": index,
        "aria-label": examples.describe(index),
        title: examples.describe(index),
      },
      canvas,
    );
  });
  const list = h("div", { class: "gallery", role: "listbox", "aria-label": "Images" }, ...options);
  const shown = () => options.filter((option) => !option.hidden);
  const columns = () => {
    const all = shown();
    const top = all[0].offsetTop;
    const next = all.findIndex((option) => option.offsetTop > top);
    return next < 1 ? all.length : next;
  };
  const select = (index) => {
    options.forEach((option) => option.setAttribute("aria-selected", String(option === options[index])));
    rove(options, options[index].hidden ? shown()[0] : options[index]);
  };
  const pick = (option) => choose(Number(option.dataset.index));
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) pick(option);
  });
  arrowKeys(list, shown, { columns, choose: pick });

  const filters = examples.classes.length > 1 && examples.classes.length <= 40 ? [[null, "All"], ...examples.classes] : [];
  const chips = filters.map(([label, name]) =>
    button(name, () => filter(label), { class: "chip", "aria-pressed": String(label === null) }),
  );
  function filter(label) {
    options.forEach((option, index) => (option.hidden = label !== null && examples.label(index) !== label));
    chips.forEach((chip, at) => chip.setAttribute("aria-pressed", String(filters[at][0] === label)));
    if (options.every((option) => option.hidden || option.tabIndex < 0)) rove(options, shown()[0]);
  }
  const element = h(
    "div",
    {},
    chips.length ? h("div", { class: "chips", role: "group", "aria-label": "Show class" }, ...chips) : null,
    list,
  );
  return { element, select };
}
