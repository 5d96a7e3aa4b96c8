// What the scripts of the map share: the decoded data, and thumbnails out of the sheets.
window.vaeMap = (function () {
  "use strict";
  const NONE = 65535;
  const DESCRIBED = 5;
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const total = data.count;
  const NAMED = data.tile ? "File" : data.noun[0].toUpperCase() + data.noun.slice(1); // without pictures there are no file names either
  const get = (id) => document.getElementById(id);

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function bytesOf(text) {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  }

  const unpack = (text, bits) => (bits === 8 ? bytesOf(text) : new Uint16Array(bytesOf(text).buffer));

  // Positions of up to 24 bits, in two parts.
  function unpackWide({ lower, upper }) {
    const positions = Uint32Array.from(unpack(lower));
    if (upper) bytesOf(upper).forEach((byte, k) => (positions[k] += byte * 65536));
    return positions;
  }

  function decodePaths(coded) {
    const paths = [];
    let before = "";
    for (let i = 0; i < coded.length; i += 2) {
      before = before.slice(0, coded[i]) + coded[i + 1];
      paths.push(before);
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

  // Characters that hide, or that turn the direction of the text around them, are shown as their code.
  const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]/gu;
  const visible = (text) => text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

  const files = decodePaths(data.paths); // as they are, to be saved
  const paths = files.map(visible);
  const order = shuffled(total);
  const splits = unpack(data.splits.codes);
  const SHAPES = data.splits.names.map((name) => ({ train: "disc", test: "ring" })[name] || "square");
  for (const projection of data.projections) projection.xy = unpack(projection.xy);
  for (const column of data.colors) {
    column.missing = column.bits === 8 ? 255 : NONE;
    column.hidden = new Set();
    column.name = visible(column.name);
    column.exact = column.names;
    if (column.names) column.names = column.names.map(visible);
  }
  for (const variant of data.variants ? data.variants.maps : []) variant.xy = unpack(variant.xy);

  // Most columns are never looked at: each is decoded when it first is.
  function codesOf(column) {
    if (typeof column.codes === "string") column.codes = unpack(column.codes, column.bits);
    return column.codes;
  }

  function valueOf(c, i, names = c.names) {
    const code = codesOf(c)[i];
    if (code === c.missing) return "–";
    if (c.kind === "category") return names[code];
    return String(Number((c.low + ((c.high - c.low) * code) / (c.missing - 1)).toPrecision(c.bits === 8 ? 2 : 4)));
  }

  let near = null;
  function neighboursOf(i) {
    if (!data.neighbours) return [];
    if (!near) near = unpackWide(data.neighbours);
    const { each } = data.neighbours;
    return Array.from(near.subarray(i * each, (i + 1) * each));
  }

  // Where a part of the pictures is held: each one's place in it, −1 for the others; null where all are.
  function placesOf(at) {
    if (!at) return null;
    const places = new Int32Array(total).fill(-1);
    unpackWide(at).forEach((i, k) => (places[i] = k));
    return places;
  }

  // In a line: what is known best; the panel says the rest.
  function describe(i) {
    const values = data.colors.filter((c) => c.listed).slice(0, DESCRIBED).map(function (c) {
      const value = valueOf(c, i);
      return value.startsWith(c.name) ? value : `${c.name} ${value}`;
    });
    return [data.splits.labels[splits[i]], ...values].join(" · ");
  }

  // The pictures themselves, and what the model makes of them.
  const atlases = [data.tile, data.rebuilt].map((tile) => tile && { tile, sheets: [], places: placesOf(tile.at) });
  const [originals, rebuilt] = atlases;

  const placeIn = (atlas, i) => (!atlas ? -1 : atlas.places ? atlas.places[i] : i);

  function fitted(side) {
    const { width, height } = data.tile;
    const scale = side / Math.max(width, height);
    return [Math.round(width * scale), Math.round(height * scale)];
  }

  // Sheets are fetched as they are needed; `later` runs once when one that was missing has come.
  function drawTile(pen, i, x, y, width, height, later, atlas = originals) {
    const { perSheet, columns, width: w, height: h, sheets: addresses } = atlas.tile;
    const { sheets } = atlas;
    const place = placeIn(atlas, i);
    const number = Math.floor(place / perSheet);
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
    const k = place % perSheet;
    pen.drawImage(sheet, (k % columns) * w, Math.floor(k / columns) * h, w, h, x, y, width, height);
  }

  function showThumbnail(target, i, side, atlas = originals) {
    target.hidden = placeIn(atlas, i) < 0;
    if (target.hidden) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = fitted(side);
    const again = () => showThumbnail(target, i, side, atlas);
    target.dataset.picture = i;
    target.width = width * ratio;
    target.height = height * ratio;
    target.style.width = `${width}px`;
    target.classList.toggle("pixels", Math.max(data.tile.width, data.tile.height) <= 48);
    const pen = target.getContext("2d");
    pen.imageSmoothingEnabled = !target.classList.contains("pixels");
    drawTile(pen, i, 0, 0, target.width, target.height, () => Number(target.dataset.picture) === i && again(), atlas);
  }

  const count = (amount) => amount.toLocaleString("en");
  const plural = (amount) => `${count(amount)} ${data.noun}${amount === 1 ? "" : "s"}`;

  return {
    NONE, NAMED, SHAPES, data, total, files, paths, splits, order, get, make, count, plural, codesOf, valueOf, describe,
    neighboursOf, placesOf, rebuilt, placeIn, fitted, drawTile, showThumbnail,
  };
})();
