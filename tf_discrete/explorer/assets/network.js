// Packed arrays, and the layers of a network. The same layers in NumPy: tf_discrete/explorer/computing.py.

const ARRAYS = {
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  float32: Float32Array,
};

/** Inflates the packed arrays anywhere in a payload, which `unpack` then reads; returns the payload. */
async function inflate(payload) {
  if (!payload || typeof payload !== "object") return payload;
  if (typeof payload.data === "string") {
    if (!globalThis.DecompressionStream) {
      throw new Error("The model must be read by DecompressionStream. Use a browser of 2023 or later.");
    }
    const bytes = Uint8Array.from(atob(payload.data), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    payload.bytes = await new Response(stream).arrayBuffer();
    delete payload.data;
  }
  await Promise.all(Object.values(payload).map(inflate));
  return payload;
}

/** Returns the integers of weights: the upper 8 bits of all come first, then each lower bit of all. */
function integersOf({ bytes, dtype }, count) {
  const integers = Int32Array.from(new Int8Array(bytes, 0, count));
  const lower = Number(dtype.slice(3)) - 8;
  const bits = new Uint8Array(bytes, count);
  const size = bits.length / Math.max(lower, 1);
  for (let plane = 0; plane < lower; plane++) {
    for (let index = 0; index < count; index++) {
      const bit = (bits[plane * size + (index >> 3)] >> (7 - (index & 7))) & 1;
      integers[index] = 2 * integers[index] + bit;
    }
  }
  return integers;
}

/** Returns the numbers of a packed array, and of weights their values. */
function unpack(packed) {
  if (!packed.scale) return new ARRAYS[packed.dtype](packed.bytes);
  const numbers = integersOf(packed, packed.shape.reduce((product, size) => product * size, 1));
  const scale = unpack(packed.scale);
  const values = new Float32Array(numbers.length);
  for (let row = 0; row < values.length; row += scale.length) {
    for (let column = 0; column < scale.length; column++) {
      values[row + column] = numbers[row + column] * scale[column];
    }
  }
  return values;
}

/** The error function (Abramowitz and Stegun 7.1.26), to 2e-7. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** Each takes a layer with its weights unpacked, returns a function of one example, a Float32Array. */
const LAYERS = {
  reshape: () => (x) => x,
  dense: ({ kernel, bias }) => {
    const outputs = bias.length;
    const inputs = kernel.length / outputs;
    return (x) => {
      const y = new Float32Array((x.length / inputs) * outputs);
      for (let row = 0; row * inputs < x.length; row++) {
        const part = y.subarray(row * outputs, (row + 1) * outputs);
        part.set(bias);
        for (let input = 0; input < inputs; input++) {
          addRow(part, kernel, input * outputs, x[row * inputs + input]);
        }
      }
      return y;
    };
  },
  conv: ({ kernel, bias, shapes, strides, padding, output }) => {
    const [height, width, channels] = output;
    const [kernelHeight, kernelWidth, inputs] = shapes.kernel;
    return (x, [rows, columns]) => {
      const y = new Float32Array(height * width * channels);
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const at = (row * width + column) * channels;
          const part = y.subarray(at, at + channels);
          part.set(bias);
          for (let i = 0; i < kernelHeight; i++) {
            const from = row * strides[0] + i - padding[0];
            if (from < 0 || from >= rows) continue;
            for (let j = 0; j < kernelWidth; j++) {
              const left = column * strides[1] + j - padding[1];
              if (left < 0 || left >= columns) continue;
              for (let input = 0; input < inputs; input++) {
                const weights = ((i * kernelWidth + j) * inputs + input) * channels;
                addRow(part, kernel, weights, x[(from * columns + left) * inputs + input]);
              }
            }
          }
        }
      }
      return y;
    };
  },
  conv_transpose: ({ kernel, bias, shapes, strides, padding, output }) => {
    const [height, width, channels] = output;
    const [kernelHeight, kernelWidth, , inputs] = shapes.kernel;
    const turned = new Float32Array(kernel.length); // [i, j, input, channel], as addRow reads it.
    for (let place = 0; place < kernelHeight * kernelWidth; place++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let input = 0; input < inputs; input++) {
          turned[(place * inputs + input) * channels + channel] =
            kernel[(place * channels + channel) * inputs + input];
        }
      }
    }
    return (x, [rows, columns]) => {
      const y = new Float32Array(height * width * channels);
      for (let at = 0; at < y.length; at += channels) y.set(bias, at);
      for (let from = 0; from < rows; from++) {
        for (let left = 0; left < columns; left++) {
          for (let i = 0; i < kernelHeight; i++) {
            const row = from * strides[0] + i - padding[0];
            if (row < 0 || row >= height) continue;
            for (let j = 0; j < kernelWidth; j++) {
              const column = left * strides[1] + j - padding[1];
              if (column < 0 || column >= width) continue;
              const at = (row * width + column) * channels;
              const part = y.subarray(at, at + channels);
              for (let input = 0; input < inputs; input++) {
                const weights = ((i * kernelWidth + j) * inputs + input) * channels;
                addRow(part, turned, weights, x[(from * columns + left) * inputs + input]);
              }
            }
          }
        }
      }
      return y;
    };
  },
  crop: ({ corner, output }) => (x, [, columns, channels]) => {
    const [height, width] = output;
    const y = new Float32Array(height * width * channels);
    for (let row = 0; row < height; row++) {
      const from = ((row + corner[0]) * columns + corner[1]) * channels;
      y.set(x.subarray(from, from + width * channels), row * width * channels);
    }
    return y;
  },
  standardize: ({ epsilon }) => (x, shape) => {
    const size = shape[shape.length - 1];
    const y = new Float32Array(x.length);
    for (let start = 0; start < x.length; start += size) {
      const part = Array.from(x.subarray(start, start + size));
      const mean = sum(part) / size;
      const variance = sum(part.map((value) => (value - mean) ** 2)) / size;
      part.forEach((value, i) => (y[start + i] = (value - mean) / Math.sqrt(variance + epsilon)));
    }
    return y;
  },
  affine: ({ scale, offset }) => (x) =>
    x.map((value, index) => value * scale[index % scale.length] + offset[index % scale.length]),
  activation: ({ name }) => (x) => x.map(ACTIVATIONS[name]),
  first_of: ({ count }) => (x) => x.filter((_, index) => index % count === 0),
  mean_level: ({ levels }) => (x) =>
    Float32Array.from({ length: x.length / levels }, (_, pixel) => {
      const probs = softmax(Array.from(x.subarray(pixel * levels, (pixel + 1) * levels)));
      return sum(probs.map((p, level) => p * level)) / (levels - 1);
    }),
};

/** Adds `factor` times a row of weights; one-hot inputs and ReLUs make most factors 0. */
function addRow(target, weights, start, factor) {
  if (factor === 0) return;
  for (let index = 0; index < target.length; index++) target[index] += factor * weights[start + index];
}

/** Returns a network as a function of one example, a Float32Array. */
function makeNetwork(layers, inputShape) {
  let shape = inputShape;
  const steps = layers.map((layer) => {
    const unpacked = { ...layer, shapes: {} };
    for (const [name, value] of Object.entries(layer)) {
      if (value && value.bytes) {
        unpacked[name] = unpack(value);
        unpacked.shapes[name] = value.shape;
      }
    }
    const apply = LAYERS[layer.kind](unpacked);
    const before = shape;
    shape = layer.shape || layer.output || shape;
    if (layer.kind === "dense") shape = [...before.slice(0, -1), unpacked.bias.length];
    return (x) => apply(x, before);
  });
  return (x) => steps.reduce((value, step) => step(value), x);
}
