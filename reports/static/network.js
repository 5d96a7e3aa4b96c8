// Runs a network that was written down as plain operations (vae_tf/serving/operations.py), on one picture at a time.
window.vaeNetwork = (function () {
  "use strict";

  // Half-precision numbers in base64 to floats, through a table of all 65,536 of them.
  function halves(text) {
    const table = new Float32Array(65536);
    for (let code = 0; code < 65536; code++) {
      const exponent = (code >> 10) & 31;
      const fraction = code & 1023;
      const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
      table[code] = code & 32768 ? -size : size;
    }
    const bytes = atob(text);
    const numbers = new Float32Array(bytes.length / 2);
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = table[bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8)];
    }
    return numbers;
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const ACTIVATIONS = {
    linear: null,
    silu: (x) => x / (1 + Math.exp(-x)),
    relu: (x) => Math.max(x, 0),
    tanh: Math.tanh,
    sigmoid,
  };

  function each(data, change) {
    for (let i = 0; i < data.length; i++) data[i] = change(data[i]);
  }

  function dense({ units, weights: from, bias }, input, weights) {
    const data = weights.slice(bias, bias + units);
    for (let i = 0; i < input.data.length; i++) {
      const x = input.data[i];
      const row = from + i * units;
      if (x !== 0) for (let u = 0; u < units; u++) data[u] += x * weights[row + u];
    }
    return { data, shape: [units] };
  }

  // Four rows of numbers (`rows[4 k + j]` is number k of row j) times a matrix of weights [count, filters], added to `out`
  // at `to[j]`. All of the time goes here: sums stay in variables, and a weight is read once for four rows.
  function multiply(rows, count, weights, from, filters, out, to) {
    const [t0, t1, t2, t3] = to;
    let f = 0;
    for (; f + 4 <= filters; f += 4) {
      let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
      let c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
      for (let r = 0, w = from + f; r < 4 * count; r += 4, w += filters) {
        const a = rows[r], b = rows[r + 1], c = rows[r + 2], d = rows[r + 3];
        const w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
        a0 += a * w0; a1 += a * w1; a2 += a * w2; a3 += a * w3;
        b0 += b * w0; b1 += b * w1; b2 += b * w2; b3 += b * w3;
        c0 += c * w0; c1 += c * w1; c2 += c * w2; c3 += c * w3;
        d0 += d * w0; d1 += d * w1; d2 += d * w2; d3 += d * w3;
      }
      out[t0 + f] += a0; out[t0 + f + 1] += a1; out[t0 + f + 2] += a2; out[t0 + f + 3] += a3;
      out[t1 + f] += b0; out[t1 + f + 1] += b1; out[t1 + f + 2] += b2; out[t1 + f + 3] += b3;
      out[t2 + f] += c0; out[t2 + f + 1] += c1; out[t2 + f + 2] += c2; out[t2 + f + 3] += c3;
      out[t3 + f] += d0; out[t3 + f + 1] += d1; out[t3 + f + 2] += d2; out[t3 + f + 3] += d3;
    }
    for (; f < filters; f++) {
      for (let k = 0; k < count; k++) {
        for (let j = 0; j < 4; j++) out[to[j] + f] += rows[4 * k + j] * weights[from + k * filters + f];
      }
    }
  }

  // Room for a picture that begins with the bias everywhere, and for one more pixel, into which goes what belongs nowhere.
  function withBias(pixels, filters, weights, bias) {
    const data = new Float32Array((pixels + 1) * filters);
    const row = weights.subarray(bias, bias + filters);
    for (let i = 0; i < data.length; i += filters) data.set(row, i);
    return data;
  }

  // How many pixels TensorFlow's padding "same" adds before the first one of the finer grid.
  function padding(coarse, fine, { side, stride }) {
    return [0, 1].map((axis) => Math.max(0, (coarse[axis] - 1) * stride + side - fine[axis]) >> 1);
  }

  function conv(step, { data, shape: [height, width, channels] }, weights) {
    const { filters, stride, side } = step;
    const shape = [Math.ceil(height / stride), Math.ceil(width / stride), filters];
    const [top, left] = padding(shape, [height, width], step);
    const pixels = shape[0] * shape[1];
    const out = withBias(pixels, filters, weights, step.bias);
    const count = side * side * channels;
    const rows = new Float32Array(4 * count);
    for (let first = 0; first < pixels; first += 4) {
      rows.fill(0);
      const to = [0, 1, 2, 3].map((j) => Math.min(first + j, pixels) * filters);
      for (let j = 0; j < Math.min(4, pixels - first); j++) {
        const y = Math.floor((first + j) / shape[1]) * stride - top;
        const x = ((first + j) % shape[1]) * stride - left;
        for (let place = 0; place < side * side; place++) {
          const fy = y + Math.floor(place / side);
          const fx = x + (place % side);
          if (fy < 0 || fy >= height || fx < 0 || fx >= width) continue;
          const from = (fy * width + fx) * channels;
          for (let c = 0; c < channels; c++) rows[4 * (place * channels + c) + j] = data[from + c];
        }
      }
      multiply(rows, count, weights, step.weights, filters, out, to);
    }
    return { data: out.subarray(0, pixels * filters), shape };
  }

  function convTranspose(step, { data, shape: [height, width, channels] }, weights) {
    const { filters, stride, side } = step;
    const shape = [height * stride, width * stride, filters];
    const [top, left] = padding([height, width], shape, step);
    const pixels = shape[0] * shape[1];
    const out = withBias(pixels, filters, weights, step.bias);
    const rows = new Float32Array(4 * channels);
    for (let first = 0; first < height * width; first += 4) {
      rows.fill(0);
      const num = Math.min(4, height * width - first);
      for (let j = 0; j < num; j++) {
        for (let c = 0; c < channels; c++) rows[4 * c + j] = data[(first + j) * channels + c];
      }
      for (let place = 0; place < side * side; place++) {
        const to = [0, 1, 2, 3].map((j) => {
          const y = Math.floor((first + j) / width) * stride + Math.floor(place / side) - top;
          const x = ((first + j) % width) * stride + (place % side) - left;
          const inside = j < num && y >= 0 && y < shape[0] && x >= 0 && x < shape[1];
          return (inside ? y * shape[1] + x : pixels) * filters;
        });
        multiply(rows, channels, weights, step.weights + place * channels * filters, filters, out, to);
      }
    }
    return { data: out.subarray(0, pixels * filters), shape };
  }

  function depthToSpace({ block }, input) {
    const [height, width, channels] = input.shape;
    const depth = channels / block ** 2;
    const data = new Float32Array(input.data.length);
    const shape = [height * block, width * block, depth];
    for (let y = 0; y < shape[0]; y++) {
      for (let x = 0; x < shape[1]; x++) {
        const cell = (Math.floor(y / block) * width + Math.floor(x / block)) * channels;
        const from = cell + ((y % block) * block + (x % block)) * depth;
        data.set(input.data.subarray(from, from + depth), (y * shape[1] + x) * depth);
      }
    }
    return { data, shape };
  }

  function crop({ height, width }, input) {
    const [tall, wide, channels] = input.shape;
    const top = (tall - height) >> 1;
    const left = (wide - width) >> 1;
    const data = new Float32Array(height * width * channels);
    for (let y = 0; y < height; y++) {
      const from = ((top + y) * wide + left) * channels;
      data.set(input.data.subarray(from, from + width * channels), y * width * channels);
    }
    return { data, shape: [height, width, channels] };
  }

  const MEANS = {
    sigmoid,
    linear: (x) => Math.min(Math.max(x, 0), 1),
    // 1 / (1 − exp(−x)) − 1/x, by its series where both terms are large.
    continuous_bernoulli: (x) => (Math.abs(x) < 0.1 ? 0.5 + x / 12 - x ** 3 / 720 : 1 / (1 - Math.exp(-x)) - 1 / x),
  };

  // A decoder may give a deviation after the channels of each pixel; the mean picture does without.
  function mean({ channels, of }, input) {
    const [height, width, given] = input.shape;
    const data = new Float32Array(height * width * channels);
    for (let i = 0; i < data.length; i++) {
      data[i] = MEANS[of](input.data[Math.floor(i / channels) * given + (i % channels)]);
    }
    return { data, shape: [height, width, channels] };
  }

  function residual({ steps }, input, weights) {
    const out = run(steps, weights, { data: input.data.slice(), shape: input.shape });
    for (let i = 0; i < out.data.length; i++) out.data[i] += input.data[i];
    return out;
  }

  const OPERATIONS = {
    dense,
    conv,
    conv_transpose: convTranspose,
    residual,
    depth_to_space: depthToSpace,
    crop,
    mean,
    affine({ scale, offset }, input) {
      return { data: input.data.map((x) => x * scale + offset), shape: input.shape };
    },
    silu(_, input) {
      each(input.data, ACTIVATIONS.silu);
      return input;
    },
    flatten: (_, input) => ({ data: input.data, shape: [input.data.length] }),
    reshape: ({ shape }, input) => ({ data: input.data, shape }),
  };

  // What the steps make of {data, shape}.
  function run(steps, weights, input) {
    let value = input;
    for (const step of steps) {
      value = OPERATIONS[step.op](step, value, weights);
      const activation = ACTIVATIONS[step.activation];
      if (activation) each(value.data, activation);
    }
    return value;
  }

  return { halves, run };
})();
