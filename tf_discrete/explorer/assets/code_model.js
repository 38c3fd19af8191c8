// What the page computes with a model of codes: its decoder and its priors.

function makeCodeModel(payload) {
  const { num_variables: count, num_categories: categories, data_shape: shape } = payload;
  const bits = payload.latents === "bernoulli";
  const width = bits ? 1 : categories;
  const network = makeNetwork(payload.decoder, bits ? [count] : [count, categories]);
  const codes = Array.from(unpack(payload.examples.codes));
  // A quantiser gives an image one code, and no probabilities.
  const logProbs = payload.examples.log_probs && unpack(payload.examples.log_probs);
  const sizes = { count, categories, bits };
  const read = (value) => (payload.code_values === "plus_minus" ? 2 * value - 1 : value);
  const decodeValues = (values) => network(Float32Array.from(values, read));
  const logits = (index, n) => {
    if (!logProbs) return times(categories, (k) => (k === codes[index * count + n] ? 0 : -Infinity));
    const start = (index * count + n) * categories;
    return Array.from(logProbs.subarray(start, start + categories));
  };
  return {
    ...sizes,
    certain: !logProbs,
    shape,
    codeOf: (index) => codes.slice(index * count, (index + 1) * count),
    logits,
    decodeValues,
    decode: (code) => {
      const values = new Float32Array(count * width);
      code.forEach((value, n) => (values[bits ? n : n * width + value] = bits ? value : 1));
      return decodeValues(values);
    },
    /** Decodes the relaxed sample of the posterior of an image, with noise [N][K]. */
    decodeRelaxed: (index, noise, temperature) => {
      const values = times(count, (n) => relaxed(logits(index, n), noise[n], temperature));
      return decodeValues(bits ? values.map((value) => value[1]) : values.flat());
    },
    distance: (one, other) => sum(one.map((value, n) => Number(value !== other[n]))),
    prior: makePrior(payload.prior, sizes),
    codePrior: payload.code_prior && makePrior(payload.code_prior, sizes),
    codePriorKind: payload.code_prior && payload.code_prior.kind,
  };
}
