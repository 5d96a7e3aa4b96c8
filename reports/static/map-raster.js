// Copies small pictures of marks into an array of pixels: a hundred thousand take a canvas a second, and this a tenth.
(function () {
  "use strict";

  class Raster {
    // `color`: what lies under the marks, as "#rrggbb".
    constructor(width, height, color) {
      this.image = new ImageData(Math.max(1, width), Math.max(1, height));
      this.pixels = new Uint32Array(this.image.data.buffer);
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
      this.pixels.fill(((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
    }

    // Lays a stamp over what is there, its upper left corner at whole pixels; `strength` from 0 to 1 thins it.
    lay(stamp, left, top, strength) {
      const { width, height } = this.image;
      const side = stamp.width;
      const from = Math.max(0, -left);
      const to = Math.min(side, width - left);
      const last = Math.min(side, height - top);
      for (let y = Math.max(0, -top); y < last; y++) {
        let source = y * side + from;
        let target = (top + y) * width + left + from;
        for (let x = from; x < to; x++, source++, target++) {
          const over = stamp.pixels[source];
          const alpha = (over >>> 24) * strength;
          if (alpha > 254) this.pixels[target] = over;
          else if (alpha > 0) this.pixels[target] = blend(this.pixels[target], over, alpha);
        }
      }
    }

    // A canvas as a stamp.
    static stampOf(canvas) {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      return { width, height, pixels: new Uint32Array(data.buffer) };
    }
  }

  // Both as 0xAABBGGRR, the lower one opaque.
  function blend(under, over, alpha) {
    const share = Math.round((alpha * 256) / 255);
    const outer = (((over & 0xff00ff) * share + (under & 0xff00ff) * (256 - share)) >>> 8) & 0xff00ff;
    const green = (((over & 0xff00) * share + (under & 0xff00) * (256 - share)) >>> 8) & 0xff00;
    return (0xff000000 | outer | green) >>> 0;
  }

  window.vaeMap.Raster = Raster;
})();
