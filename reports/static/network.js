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

  // Adds x times a row of weights to a row of sums: the loop in which all of the time goes.
  function add(out, to, x, weights, from, count) {
    for (let i = 0; i < count; i++) out[to + i] += x * weights[from + i];
  }

  function dense({ units, weights: from, bias }, input, weights) {
    const data = weights.slice(bias, bias + units);
    for (let i = 0; i < input.data.length; i++) {
      if (input.data[i] !== 0) add(data, 0, input.data[i], weights, from + i * units, units);
    }
    return { data, shape: [units] };
  }

  function withBias(height, width, filters, weights, bias) {
    const data = new Float32Array(height * width * filters);
    const row = weights.subarray(bias, bias + filters);
    for (let i = 0; i < data.length; i += filters) data.set(row, i);
    return { data, shape: [height, width, filters] };
  }

  // Visits every pair of a cell of the coarse grid and a cell of the fine one that the kernel joins, where
  // fine = coarse · stride + place in the kernel − padding, as TensorFlow pads with "same".
  function join(coarse, fine, { side, stride }, visit) {
    const before = [0, 1].map((axis) => Math.max(0, (coarse[axis] - 1) * stride + side - fine[axis]) >> 1);
    for (let y = 0; y < coarse[0]; y++) {
      for (let x = 0; x < coarse[1]; x++) {
        for (let ky = 0; ky < side; ky++) {
          const fy = y * stride + ky - before[0];
          if (fy < 0 || fy >= fine[0]) continue;
          for (let kx = 0; kx < side; kx++) {
            const fx = x * stride + kx - before[1];
            if (fx >= 0 && fx < fine[1]) visit(y * coarse[1] + x, fy * fine[1] + fx, ky * side + kx);
          }
        }
      }
    }
  }

  function conv(step, input, weights) {
    const [height, width, channels] = input.shape;
    const { filters, stride } = step;
    const out = withBias(Math.ceil(height / stride), Math.ceil(width / stride), filters, weights, step.bias);
    join(out.shape, input.shape, step, (to, from, place) => {
      for (let c = 0; c < channels; c++) {
        const row = step.weights + (place * channels + c) * filters;
        add(out.data, to * filters, input.data[from * channels + c], weights, row, filters);
      }
    });
    return out;
  }

  function convTranspose(step, input, weights) {
    const [height, width, channels] = input.shape;
    const { filters, stride } = step;
    const out = withBias(height * stride, width * stride, filters, weights, step.bias);
    join(input.shape, out.shape, step, (from, to, place) => {
      for (let c = 0; c < channels; c++) {
        const row = step.weights + (place * channels + c) * filters;
        add(out.data, to * filters, input.data[from * channels + c], weights, row, filters);
      }
    });
    return out;
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
