// Arithmetic on plain arrays, and random numbers that a seed determines.

/** Returns a function that returns uniform numbers in (0, 1) (mulberry32). */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

const exponential = (random) => -Math.log(random());
const gumbel = (random) => -Math.log(exponential(random));
const normal = (random) =>
  Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random());

const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const dot = (one, other) => one.reduce((total, value, index) => total + value * other[index], 0);
const clamp = (value, lowest, highest) => Math.min(Math.max(value, lowest), highest);

function argmax(values) {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
}

function logSumExp(values) {
  const largest = Math.max(...values);
  return largest + Math.log(sum(values.map((value) => Math.exp(value - largest))));
}

function softmax(values) {
  const total = logSumExp(values);
  return values.map((value) => Math.exp(value - total));
}

const oneHot = (index, size) => times(size, (other) => (other === index ? 1 : 0));

/** Draws an index with the probabilities softmax(logits / temperature). */
const drawCategory = (logits, random, temperature = 1) =>
  argmax(logits.map((logit) => logit / temperature + gumbel(random)));
