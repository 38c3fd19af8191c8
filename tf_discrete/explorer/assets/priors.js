// Priors of codes: independent variables, an LSTM, or codes that were sampled before.

const PRIORS = {
  independent: ({ logits }, { count, categories, bits }) => {
    const values = Array.from(unpack(logits));
    return (random) =>
      times(count, (n) =>
        bits
          ? Number(random() < 1 / (1 + Math.exp(-values[n])))
          : drawCategory(values.slice(n * categories, (n + 1) * categories), random),
      );
  },
  samples: ({ codes }, { count }) => {
    const values = Array.from(unpack(codes));
    return (random) => {
      const row = Math.floor((random() * values.length) / count);
      return values.slice(row * count, (row + 1) * count);
    };
  },
  lstm: (packed, { count }) => {
    const network = makeLstm(packed);
    return (random, temperature = 1) => network.sample(random, temperature).slice(0, count);
  },
};

/** Returns a function (random, temperature) -> code. */
const makePrior = (packed, sizes) => PRIORS[packed.kind](packed, sizes);

/** The network of an AutoregressivePrior: one chunk of variables at a time. */
function makeLstm(packed) {
  const weights = Object.fromEntries(
    ["embedding", "position", "kernel", "recurrent", "bias", "head", "head_bias"].map((name) => [
      name,
      unpack(packed[name]),
    ]),
  );
  const size = packed.embedding.shape[1];
  const units = packed.recurrent.shape[0];
  const chunks = packed.position.shape[0];
  const start = packed.embedding.shape[0] - 1;
  const sigmoid = ACTIVATIONS.sigmoid;
  const lengthOf = (chunk) =>
    Math.min(packed.chunk_size, packed.num_variables - chunk * packed.chunk_size);

  function step(chunk, symbol, state) {
    const gates = Float32Array.from(weights.bias);
    for (let i = 0; i < size; i++) {
      const input = weights.embedding[symbol * size + i] + weights.position[chunk * size + i];
      addRow(gates, weights.kernel, i * 4 * units, input);
    }
    for (let i = 0; i < units; i++) addRow(gates, weights.recurrent, i * 4 * units, state.hidden[i]);
    const cell = state.cell.map(
      (value, i) =>
        sigmoid(gates[units + i]) * value + sigmoid(gates[i]) * Math.tanh(gates[2 * units + i]),
    );
    const hidden = cell.map((value, i) => sigmoid(gates[3 * units + i]) * Math.tanh(value));
    const logits = Float32Array.from(weights.head_bias);
    hidden.forEach((value, i) => addRow(logits, weights.head, i * logits.length, value));
    const possible = packed.num_categories ** lengthOf(chunk);
    return { logits: Array.from(logits.subarray(0, possible)), state: { hidden, cell } };
  }

  /** Calls choose(logits, chunk), which returns the symbol, for one chunk after the other. */
  function run(choose) {
    let state = { hidden: new Float32Array(units), cell: new Float32Array(units) };
    let symbol = start;
    return times(chunks, (chunk) => {
      const found = step(chunk, symbol, state);
      state = found.state;
      symbol = choose(found.logits, chunk);
      return symbol;
    });
  }

  const digits = (symbol, chunk) => {
    const length = lengthOf(chunk);
    return times(
      length,
      (place) =>
        Math.floor(symbol / packed.num_categories ** (length - 1 - place)) % packed.num_categories,
    );
  };
  return {
    sample: (random, temperature) =>
      run((logits) => drawCategory(logits, random, temperature)).flatMap(digits),
    logitsOf: (symbols) => {
      const found = [];
      run((logits, chunk) => (found.push(logits), symbols[chunk]));
      return found;
    },
  };
}
