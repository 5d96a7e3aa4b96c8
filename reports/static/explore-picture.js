// Brings a picture from a file to the model's shape, as vae_tf/data/resize.py does: cut or padded, bilinear, antialiased.
window.vaePicture = (function () {
  "use strict";

  // How much each of the old cells counts for each of the new ones: [[first, [weight, …]], …].
  function spans(from, to) {
    const scale = from / to;
    const reach = Math.max(scale, 1);
    return Array.from({ length: to }, (_, i) => {
      const centre = (i + 0.5) * scale;
      const first = Math.max(0, Math.ceil(centre - reach - 0.5));
      const last = Math.min(from - 1, Math.floor(centre + reach - 0.5));
      const weights = [];
      for (let k = first; k <= last; k++) weights.push(Math.max(0, 1 - Math.abs(k + 0.5 - centre) / reach));
      const sum = weights.reduce((a, b) => a + b, 0);
      return [first, weights.map((weight) => weight / sum)];
    });
  }

  function resize(data, height, width, channels, newHeight, newWidth) {
    const rows = spans(height, newHeight);
    const columns = spans(width, newWidth);
    const half = new Float32Array(newHeight * width * channels);
    const row = width * channels;
    rows.forEach(([first, weights], y) => {
      weights.forEach((weight, k) => {
        for (let i = 0; i < row; i++) half[y * row + i] += weight * data[(first + k) * row + i];
      });
    });
    const out = new Float32Array(newHeight * newWidth * channels);
    columns.forEach(([first, weights], x) => {
      weights.forEach((weight, k) => {
        for (let y = 0; y < newHeight; y++) {
          for (let c = 0; c < channels; c++) {
            out[(y * newWidth + x) * channels + c] += weight * half[(y * width + first + k) * channels + c];
          }
        }
      });
    });
    return out.map((level) => Math.min(255, Math.max(0, Math.round(level))));
  }

  const between = (low, value, high) => Math.min(high, Math.max(low, value));

  // Grey levels [height, width, channels] of the middle part, without the opacity.
  function levels(image, left, top, width, height, channels) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // what is transparent lies on white
    context.fillRect(0, 0, width, height);
    context.drawImage(image, -left, -top);
    const all = context.getImageData(0, 0, width, height).data;
    const out = new Float32Array(width * height * channels);
    for (let i = 0; i < width * height; i++) {
      const [r, g, b] = [all[4 * i], all[4 * i + 1], all[4 * i + 2]];
      if (channels === 1) out[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
      else out.set([r, g, b], 3 * i);
    }
    return out;
  }

  // The picture as grey levels from 0 to 255, [height, width, channels] flat.
  async function read(file, [height, width, channels], fit) {
    const image = await createImageBitmap(file);
    const [h, w] = [image.height, image.width];
    if (fit === "crop") {
      const cutHeight = between(1, Math.floor((w * height + (width >> 1)) / width), h);
      const cutWidth = between(1, Math.floor((h * width + (height >> 1)) / height), w);
      const part = levels(image, (w - cutWidth) >> 1, (h - cutHeight) >> 1, cutWidth, cutHeight, channels);
      return resize(part, cutHeight, cutWidth, channels, height, width);
    }
    const whole = levels(image, 0, 0, w, h, channels);
    if (fit === "stretch") return resize(whole, h, w, channels, height, width);
    const innerHeight = between(1, Math.floor((h * width + (w >> 1)) / w), height);
    const innerWidth = between(1, Math.floor((w * height + (h >> 1)) / h), width);
    const inner = resize(whole, h, w, channels, innerHeight, innerWidth);
    const out = new Float32Array(height * width * channels);
    const top = (height - innerHeight) >> 1;
    const left = (width - innerWidth) >> 1;
    for (let y = 0; y < innerHeight; y++) {
      const row = inner.subarray(y * innerWidth * channels, (y + 1) * innerWidth * channels);
      out.set(row, ((top + y) * width + left) * channels);
    }
    return out;
  }

  return { read };
})();
