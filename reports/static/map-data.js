// What the scripts of the map share: the decoded data, and thumbnails out of the sheets.
window.vaeMap = (function () {
  "use strict";
  const NONE = 65535;
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const total = data.count;
  const NAMED = data.tile ? "File" : data.noun[0].toUpperCase() + data.noun.slice(1); // without pictures there are no file names either
  const get = (id) => document.getElementById(id);
  const sheets = [];

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
  }

  function decodePaths(coded) {
    const paths = [];
    let before = [];
    for (let i = 0; i < coded.length; i += 2) {
      before = before.slice(0, coded[i]).concat(Array.from(coded[i + 1]));
      paths.push(before.join(""));
    }
    return paths;
  }

  // Shuffled once, with a fixed seed: no class is drawn on top of another, and every visit looks the same.
  function shuffled(length) {
    const order = Uint32Array.from({ length }, (_, i) => i);
    let state = 1;
    for (let i = length - 1; i > 0; i--) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const j = Math.floor((state / 4294967296) * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  const paths = decodePaths(data.paths);
  const order = shuffled(total);
  const splits = unpack(data.splits.codes);
  const SHAPES = data.splits.names.map((name) => ({ train: "disc", test: "ring" })[name] || "square");
  for (const projection of data.projections) projection.xy = unpack(projection.xy);
  for (const column of data.colors) {
    column.codes = unpack(column.codes);
    column.hidden = new Set();
  }

  function valueOf(c, i) {
    const code = c.codes[i];
    if (code === NONE) return "–";
    if (c.kind === "category") return c.names[code];
    return String(Number((c.low + ((c.high - c.low) * code) / (NONE - 1)).toPrecision(4)));
  }

  function describe(i) {
    const values = data.colors.map(function (c) {
      const value = valueOf(c, i);
      return value.startsWith(c.name) ? value : `${c.name} ${value}`;
    });
    return [data.splits.labels[splits[i]], ...values].join(" · ");
  }

  function fitted(side) {
    const { width, height } = data.tile;
    const scale = side / Math.max(width, height);
    return [Math.round(width * scale), Math.round(height * scale)];
  }

  // Sheets are fetched as they are needed; `later` runs once when one that was missing has come.
  function drawTile(pen, i, x, y, width, height, later) {
    const { perSheet, columns, width: w, height: h, sheets: addresses } = data.tile;
    const number = Math.floor(i / perSheet);
    if (!sheets[number]) {
      sheets[number] = new Image();
      sheets[number].src = addresses[number];
    }
    const sheet = sheets[number];
    if (!sheet.complete) {
      sheet.addEventListener("load", later, { once: true });
      return;
    }
    if (!sheet.naturalWidth) return;
    const k = i % perSheet;
    pen.drawImage(sheet, (k % columns) * w, Math.floor(k / columns) * h, w, h, x, y, width, height);
  }

  function showThumbnail(target, i, side) {
    target.hidden = !data.tile;
    if (target.hidden) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = fitted(side);
    const again = () => showThumbnail(target, i, side);
    target.dataset.picture = i;
    target.width = width * ratio;
    target.height = height * ratio;
    target.style.width = `${width}px`;
    target.classList.toggle("pixels", Math.max(data.tile.width, data.tile.height) <= 48);
    const pen = target.getContext("2d");
    pen.imageSmoothingEnabled = !target.classList.contains("pixels");
    drawTile(pen, i, 0, 0, target.width, target.height, () => Number(target.dataset.picture) === i && again());
  }

  return { NONE, NAMED, SHAPES, data, total, paths, splits, order, get, make, valueOf, describe, fitted, drawTile, showThumbnail };
})();
