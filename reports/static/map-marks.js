// What one mark looks like: colour and letter say its category, shape says whether it was trained on.
(function () {
  "use strict";
  const { SHAPES, Raster, column } = window.vaeMap;
  const PALETTE = 12;
  const RAMP = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"]; // viridis
  // Two colours of the palette are told apart with ease by all eyes; more categories have a letter each. 47 letters and
  // 12 colours have no common divisor: 564 pairs before one comes again.
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghmnqrty23456789";
  const TOLD_APART = 2;
  const SMALLEST_LETTERED = 5;

  const hasLetters = (c) => c.kind === "category" && c.names.length > TOLD_APART;
  const letterOf = (c, code) => (hasLetters(c) && code !== c.missing ? LETTERS[code % LETTERS.length] : "");

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const palette = Array.from({ length: PALETTE }, (_, i) => read("--c" + i));
    return { palette, none: read("--none"), text: read("--text"), page: read("--page"), accent: read("--accent"), raised: read("--raised") };
  }

  // Marks of equal looks have equal bins.
  function binOf(c, code) {
    if (code === c.missing) return 0;
    return 1 + (c.kind === "category" ? code : Math.min(RAMP.length - 1, Math.floor((code / c.missing) * RAMP.length)));
  }

  function colorOf(c, bin, look) {
    if (bin === 0) return look.none;
    return c.kind === "category" ? look.palette[(bin - 1) % PALETTE] : RAMP[bin - 1];
  }

  function isLight(color) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    return 0.3 * r + 0.59 * g + 0.11 * b > 140;
  }

  function outline(pen, shape, x, y, r) {
    pen.beginPath();
    if (shape === "square") pen.rect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
    else pen.arc(x, y, shape === "ring" ? r * 0.85 : r, 0, 2 * Math.PI);
  }

  function drawMark(pen, shape, color, letter, r, look) {
    outline(pen, shape, r + 2, r + 2, r);
    pen.lineWidth = Math.max(1.5, r / 2.6);
    pen.fillStyle = color;
    pen.strokeStyle = shape === "disc" ? look.page : color;
    if (shape === "disc") {
      pen.fill();
      pen.lineWidth = 0.75;
    }
    if (shape !== "disc" || r >= 3) pen.stroke();
    if (!letter || r < SMALLEST_LETTERED) return;
    pen.font = `700 ${Math.round(r * 1.5)}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = shape !== "disc" ? look.text : isLight(color) ? "#000000" : "#ffffff";
    pen.fillText(letter, r + 2, r + 2.5);
  }

  // One small picture for each look; copying its pixels is far quicker than drawing a path for every point.
  function stamps(look, r, ratio) {
    const c = column();
    const made = [];
    return function (code, split) {
      const bin = binOf(c, code);
      const key = bin * SHAPES.length + split;
      if (!made[key]) {
        const stamp = document.createElement("canvas");
        stamp.width = stamp.height = Math.ceil((2 * r + 4) * ratio);
        const pen = stamp.getContext("2d", { willReadFrequently: true });
        pen.scale(ratio, ratio);
        drawMark(pen, SHAPES[split], colorOf(c, bin, look), letterOf(c, code), r, look);
        made[key] = Raster.stampOf(stamp);
      }
      return made[key];
    };
  }

  Object.assign(window.vaeMap, { PALETTE, RAMP, hasLetters, letterOf, theme, binOf, colorOf, stamps });
})();
