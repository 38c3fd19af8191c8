// The Gumbel-Softmax distribution: samples, density, and the state of its widget.

const MOST_CATEGORIES = 10;
const CLOUD = 500;
const PRESET_LOGITS = [0.4, -0.3, 0.8, -0.9, 0.1, -0.5, 0.6, -1.2, 0.2, -0.1];

const relaxed = (logits, noise, temperature) =>
  softmax(logits.map((logit, k) => (logit + noise[k]) / temperature));

const hard = (logits, noise) =>
  oneHot(argmax(logits.map((logit, k) => logit + noise[k])), logits.length);

/** log p(y) of the relaxed sample y on the simplex (Maddison et al. 2016, equation 10). */
function logDensity(logits, temperature, logY) {
  const size = logits.length;
  const terms = logits.map((logit, k) => logit - temperature * logY[k]);
  let logFactorial = 0;
  for (let k = 2; k < size; k++) logFactorial += Math.log(k);
  return (
    logFactorial + (size - 1) * Math.log(temperature) - size * logSumExp(terms) + sum(terms) - sum(logY)
  );
}

/** Noise that stays as it is while sliders move: of one sample, and of a cloud of samples. */
function frozenNoise(seed) {
  const random = randomNumbers(seed);
  const draw = () => times(MOST_CATEGORIES, () => gumbel(random));
  return {
    one: draw(),
    cloud: times(CLOUD, draw),
    // For noise given its argmax: Gumbel-Rao and what averages as it does.
    exponentials: times(CLOUD, () =>
      times(CONDITIONAL, () => times(MOST_CATEGORIES, () => exponential(random))),
    ),
    // For diffusion: ReDGE.
    normals: times(CLOUD, () => times(MOST_CATEGORIES, () => normal(random))),
  };
}

/** A state that tells its listeners of every change. */
function makeState(initial) {
  const listeners = [];
  const state = {
    ...initial,
    listen: (listener) => {
      listeners.push(listener);
      listener(state);
    },
    set: (changes) => {
      Object.assign(state, changes);
      listeners.forEach((listener) => listener(state));
    },
  };
  return state;
}

function relaxationState() {
  const state = makeState({
    categories: 5,
    temperature: 1,
    allLogits: [...PRESET_LOGITS],
    seed: 1,
    noise: frozenNoise(1),
    objective: "quadratic",
  });
  return state;
}

const logitsOf = (state) => state.allLogits.slice(0, state.categories);
const noiseOf = (state) => state.noise.one.slice(0, state.categories);
