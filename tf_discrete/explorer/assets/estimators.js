// Gradients of pathwise estimators for one categorical variable, each as in tf_discrete/estimators.

const CONDITIONAL = 10;
const FORWARD_TEMPERATURE = 1.25;
const GAP = 1;
const CONTROL_SCALE = 0.7;
const WEIGHTS = [0.8, -0.6, 0.3, 1.0, -0.9, 0.1, -0.3, 0.6, -0.1, 0.4];

/** Objectives f(z) of t = w . z, by t and their derivative. */
const OBJECTIVES = {
  linear: { label: "linear: w·z", value: (t) => t, slope: () => 1 },
  quadratic: {
    label: "quadratic: (w·z − 0.3)²",
    value: (t) => (t - 0.3) ** 2,
    slope: (t) => 2 * (t - 0.3),
  },
  cubic: { label: "cubic: (w·z)³", value: (t) => t ** 3, slope: (t) => 3 * t ** 2 },
  sine: { label: "sine: sin(3 w·z)", value: (t) => Math.sin(3 * t), slope: (t) => 3 * Math.cos(3 * t) },
};

const objectiveValue = (objective, z) => OBJECTIVES[objective].value(dot(z, WEIGHTS));
const objectiveSlope = (objective, z) => {
  const slope = OBJECTIVES[objective].slope(dot(z, WEIGHTS));
  return z.map((_, k) => slope * WEIGHTS[k]);
};

/** The Jacobian of the softmax, where it is `probs`, times a vector. */
const jacobian = (probs, vector, factor = 1) => {
  const mean = dot(probs, vector);
  return probs.map((p, k) => factor * p * (vector[k] - mean));
};

/** Relaxed samples whose argmax is that of z, by conditional Gumbel noise from exponential variables. */
function relaxedGiven(z, logits, exponentials, temperature) {
  const drawn = argmax(z);
  const total = logSumExp(logits);
  return exponentials.map((draws) => {
    const top = total - Math.log(draws[drawn]);
    const perturbed = logits.map((logit, k) =>
      k === drawn ? top : -Math.log(draws[k] * Math.exp(-logit) + Math.exp(-top)),
    );
    return softmax(perturbed.map((value) => value / temperature));
  });
}

/** The mean over `relaxations` of their Jacobian times a vector. */
function meanJacobian(relaxations, vector, factor) {
  const products = relaxations.map((y) => jacobian(y, vector, factor));
  return vector.map((_, k) => sum(products.map((product) => product[k])) / products.length);
}

const add = (...vectors) => vectors[0].map((_, k) => sum(vectors.map((vector) => vector[k])));
const midpoint = (probs, z) => probs.map((p, k) => (p + z[k]) / 2);

/** Each maps (logits, noise, temperature, slope of f, exponentials, normals) to a gradient. */
const ESTIMATORS = {
  gumbel_softmax: (logits, noise, temperature, slope) => {
    const y = relaxed(logits, noise, temperature);
    return jacobian(y, slope(y), 1 / temperature);
  },
  straight_through_gumbel_softmax: (logits, noise, temperature, slope) =>
    jacobian(relaxed(logits, noise, temperature), slope(hard(logits, noise)), 1 / temperature),
  decoupled_straight_through_gumbel_softmax: (logits, noise, temperature, slope) => {
    const scaled = noise.map((value) => FORWARD_TEMPERATURE * value);
    return jacobian(relaxed(logits, scaled, temperature), slope(hard(logits, scaled)), 1 / temperature);
  },
  gumbel_rao: (logits, noise, temperature, slope, exponentials) => {
    const z = hard(logits, noise);
    return meanJacobian(relaxedGiven(z, logits, exponentials, temperature), slope(z), 1 / temperature);
  },
  gapped_straight_through: (logits, noise, temperature, slope) => {
    const z = hard(logits, noise);
    const top = Math.max(...logits);
    const moved = logits.map((logit, k) => (z[k] ? top : Math.min(logit, top - GAP)) / temperature);
    return jacobian(softmax(moved), slope(z), 1 / temperature);
  },
  straight_through: (logits, noise, temperature, slope) =>
    jacobian(softmax(logits.map((logit) => logit / temperature)), slope(hard(logits, noise)), 1 / temperature),
  reinmax: (logits, noise, temperature, slope) => {
    const z = hard(logits, noise);
    const upstream = slope(z);
    const soft = softmax(logits.map((logit) => logit / temperature));
    const second = jacobian(soft.map((p, k) => (p + z[k]) / 2), upstream, 2);
    const first = jacobian(softmax(logits), upstream, 0.5);
    return second.map((value, k) => value - first[k]);
  },
  reinmax_rao: (logits, noise, temperature, slope, exponentials) => {
    const z = hard(logits, noise);
    const upstream = slope(z);
    const probs = softmax(logits);
    const halfway = midpoint(probs, z).map(Math.log);
    const first = relaxedGiven(z, halfway, exponentials, temperature);
    return add(meanJacobian(first, upstream, 2 / temperature), jacobian(probs, upstream, -0.5));
  },
  reinmax_cv: (logits, noise, temperature, slope, exponentials) => {
    const z = hard(logits, noise);
    const upstream = slope(z);
    const probs = softmax(logits);
    const middle = midpoint(probs, z);
    const halfway = middle.map(Math.log);
    const others = relaxedGiven(z, halfway, exponentials, temperature);
    return add(
      jacobian(middle, upstream, 2),
      jacobian(probs, upstream, -0.5),
      meanJacobian(others, upstream, CONTROL_SCALE / temperature),
      jacobian(relaxed(halfway, noise, temperature), upstream, -CONTROL_SCALE / temperature),
    );
  },
  // Two steps, from the noise level 1/2: y = z + e, and the point above it is held.
  redge: (logits, noise, temperature, slope, exponentials, normals) => {
    const z = hard(logits, noise);
    const denoised = softmax(logits.map((logit, k) => logit + z[k] + normals[k]));
    const last = jacobian(denoised, slope(z));
    return add(last, jacobian(softmax(logits), last));
  },
  darn: (logits, noise, temperature, slope) => {
    const z = hard(logits, noise);
    const upstream = slope(z);
    const guess = dot(upstream, z) - sum(upstream) / z.length;
    return softmax(logits).map((p, k) => guess * (z[k] - p));
  },
};

/** The gradient of E f(z), by enumeration. */
function exactGradient(logits, objective) {
  const probs = softmax(logits);
  const values = logits.map((_, k) => objectiveValue(objective, oneHot(k, logits.length)));
  return jacobian(probs, values);
}

const gradientOf = (name, logits, noise, temperature, objective, exponentials, normals) =>
  ESTIMATORS[name](logits, noise, temperature, (z) => objectiveSlope(objective, z), exponentials, normals);

/** Bias (the size of the mean's error) and standard deviation of an estimator over the frozen cloud. */
function gradientStatistics(name, state, exact) {
  const logits = logitsOf(state);
  const gradients = state.noise.cloud.map((noise, index) =>
    gradientOf(
      name,
      logits,
      noise.slice(0, logits.length),
      state.temperature,
      state.objective,
      state.noise.exponentials[index],
      state.noise.normals[index],
    ),
  );
  const mean = logits.map((_, k) => sum(gradients.map((g) => g[k])) / gradients.length);
  const variance = sum(
    gradients.map((gradient) => sum(gradient.map((value, k) => (value - mean[k]) ** 2))),
  );
  const error = Math.sqrt(sum(mean.map((value, k) => (value - exact[k]) ** 2)));
  const deviation = Math.sqrt(variance / (gradients.length - 1));
  return { mean, error, deviation, standardError: deviation / Math.sqrt(gradients.length) };
}
