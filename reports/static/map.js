// The map itself: draws the marks, points at them, zooms, moves and walks by keyboard.
(function () {
  "use strict";
  const { NONE, NAMED, SHAPES, data, total, paths, splits, order, get, make } = window.vaeMap;
  const { valueOf, describe, fitted, drawTile, showThumbnail } = window.vaeMap;
  const PALETTE = 12;
  const RAMP = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"]; // viridis
  const canvas = get("map-canvas");
  const context = canvas.getContext("2d");
  const marks = make("canvas");
  const tip = get("map-tip");
  const state = { projection: 0, color: 0, scale: 1, x: 0, y: 0, current: -1, chosen: -1, pictures: false };
  const hiddenSplits = new Set();
  let frame = null; // how the current map's coordinates lie on the canvas
  let pending = false;
  let stale = true;

  const column = () => data.colors[state.color];
  const isVisible = (i) => !hiddenSplits.has(splits[i]) && !column().hidden.has(column().codes[i]);

  function layOut() {
    const { xy } = data.projections[state.projection];
    const low = [Infinity, Infinity];
    const high = [-Infinity, -Infinity];
    for (let i = 0; i < xy.length; i++) {
      if (xy[i] < low[i % 2]) low[i % 2] = xy[i];
      if (xy[i] > high[i % 2]) high[i % 2] = xy[i];
    }
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const edge = 28;
    const fit = Math.min((width - 2 * edge) / (high[0] - low[0] || 1), (height - 2 * edge) / (high[1] - low[1] || 1));
    frame = { xy, width, height, fit, x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2 };
  }

  const placeX = (i) => frame.width / 2 + (frame.xy[2 * i] - frame.x) * frame.fit * state.scale + state.x;
  const placeY = (i) => frame.height / 2 - (frame.xy[2 * i + 1] - frame.y) * frame.fit * state.scale + state.y;

  function radius() {
    const base = total <= 500 ? 6 : total <= 3000 ? 4.5 : total <= 20000 ? 3 : 2;
    return Math.min(9, base * Math.sqrt(state.scale));
  }

  function colors() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const palette = Array.from({ length: PALETTE }, (_, i) => read("--c" + i));
    return { palette, none: read("--none"), text: read("--text"), page: read("--page") };
  }

  function colorOf(code, theme) {
    if (code === NONE) return theme.none;
    if (column().kind === "category") return theme.palette[code % PALETTE];
    return RAMP[Math.min(RAMP.length - 1, Math.floor((code / NONE) * RAMP.length))];
  }

  // One small picture for each colour and shape; copying it is far quicker than drawing a path for every point.
  function stamps(theme, ratio) {
    const made = new Map();
    const r = radius();
    return function (code, shape) {
      const color = colorOf(code, theme);
      const key = color + shape;
      if (!made.has(key)) {
        const stamp = document.createElement("canvas");
        stamp.width = stamp.height = Math.ceil((2 * r + 4) * ratio);
        const pen = stamp.getContext("2d");
        pen.scale(ratio, ratio);
        outline(pen, shape, r + 2, r + 2, r);
        pen.lineWidth = Math.max(1.5, r / 2.6);
        pen.fillStyle = color;
        pen.strokeStyle = shape === "disc" ? theme.page : color;
        if (shape === "disc") {
          pen.fill();
          pen.lineWidth = 0.75;
        }
        if (shape !== "disc" || r >= 3) pen.stroke();
        made.set(key, stamp);
      }
      return made.get(key);
    };
  }

  function outline(pen, shape, x, y, r) {
    pen.beginPath();
    if (shape === "square") pen.rect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
    else pen.arc(x, y, shape === "ring" ? r * 0.85 : r, 0, 2 * Math.PI);
  }

  // The marks go to a layer of their own: a ring around one of them must not cost a drawing of all.
  function drawMarks(ratio) {
    layOut();
    marks.width = Math.round(frame.width * ratio);
    marks.height = Math.round(frame.height * ratio);
    const pen = marks.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const theme = colors();
    const stamp = stamps(theme, ratio);
    const r = radius() + 2;
    let shown = 0;
    for (const i of order) {
      if (!isVisible(i)) continue;
      shown++;
      const x = placeX(i);
      const y = placeY(i);
      if (x < -r || y < -r || x > frame.width + r || y > frame.height + r) continue;
      pen.drawImage(stamp(column().codes[i], SHAPES[splits[i]]), x - r, y - r, 2 * r, 2 * r);
    }
    if (state.pictures) drawPictures(pen, theme);
    const frames = state.pictures ? "; a dashed frame: not trained on" : "";
    get("map-count").textContent = `${shown.toLocaleString("en")} of ${total.toLocaleString("en")} ${data.noun}s shown${frames}`;
    canvas.dataset.drawn = shown;
    canvas.classList.toggle("zoomed", state.scale > 1.01);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    pending = false;
    if (stale) drawMarks(ratio);
    stale = false;
    canvas.width = marks.width;
    canvas.height = marks.height;
    if (!marks.width || !marks.height) return;
    context.drawImage(marks, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const theme = colors();
    for (const [i, width] of [[state.chosen, 3], [state.current, 2]]) {
      if (i >= 0 && isVisible(i)) ringAround(i, theme, width);
    }
  }

  function refresh() {
    if (!pending) requestAnimationFrame(draw);
    pending = true;
  }

  function redraw() {
    stale = true;
    refresh();
  }

  function ringAround(i, theme, width) {
    context.beginPath();
    context.arc(placeX(i), placeY(i), radius() + 5, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = theme.text;
    context.stroke();
  }

  // As many pictures as fit without covering each other, framed in the colour of their mark.
  function drawPictures(pen, theme) {
    const [width, height] = fitted(48);
    const stepX = width + 6;
    const stepY = height + 6;
    const cells = new Map();
    for (const i of order) {
      const x = placeX(i);
      const y = placeY(i);
      if (!isVisible(i) || x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
      const a = Math.floor(x / stepX);
      const b = Math.floor(y / stepY);
      let free = true;
      for (let da = -1; da <= 1; da++) {
        for (let db = -1; db <= 1; db++) {
          const other = cells.get(`${a + da},${b + db}`);
          if (other && Math.abs(other[0] - x) < stepX && Math.abs(other[1] - y) < stepY) free = false;
        }
      }
      if (!free) continue;
      cells.set(`${a},${b}`, [x, y]);
      drawTile(pen, i, x - width / 2, y - height / 2, width, height, redraw);
      pen.lineWidth = 2.5;
      pen.setLineDash(SHAPES[splits[i]] === "disc" ? [] : [4, 3]);
      pen.strokeStyle = colorOf(column().codes[i], theme);
      pen.strokeRect(x - width / 2 - 1, y - height / 2 - 1, width + 2, height + 2);
      pen.setLineDash([]);
    }
  }

  function nearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    for (let i = 0; i < total; i++) {
      const dx = placeX(i) - x;
      const dy = placeY(i) - y;
      const distance = dx * dx + dy * dy;
      if (distance < least && isVisible(i)) [best, least] = [i, distance];
    }
    return best;
  }

  function point(i) {
    if (i === state.current) return;
    state.current = i;
    tip.hidden = i < 0;
    if (i >= 0) {
      showThumbnail(tip.querySelector("canvas"), i, 112);
      tip.querySelector(".path").textContent = paths[i];
      tip.querySelector(".detail").textContent = describe(i);
      const x = placeX(i);
      const y = placeY(i);
      const left = x + 16 + tip.offsetWidth > frame.width ? x - 16 - tip.offsetWidth : x + 16;
      tip.style.left = `${Math.min(Math.max(left, 0), Math.max(0, frame.width - tip.offsetWidth))}px`;
      tip.style.top = `${Math.min(Math.max(y - tip.offsetHeight / 2, 0), Math.max(0, frame.height - tip.offsetHeight))}px`;
    }
    refresh();
  }

  function choose(i) {
    state.chosen = i;
    const panel = get("map-panel");
    const picture = make("canvas");
    const facts = make("dl");
    const rows = [[NAMED, paths[i]], ["Split", data.splits.labels[splits[i]]]];
    for (const [name, value] of rows.concat(data.colors.map((c) => [c.name, valueOf(c, i)]))) {
      facts.append(make("dt", "", name), make("dd", "", value));
    }
    const help = get("map-help");
    panel.replaceChildren(picture, facts, help);
    help.className = "hidden";
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", paths[i]);
    showThumbnail(picture, i, 224);
    refresh();
  }

  // The nearest picture within 45° of the arrow's direction; far ones off the axis cost more.
  function walk(dx, dy) {
    if (state.current < 0) {
      point(state.chosen >= 0 && isVisible(state.chosen) ? state.chosen : nearest(frame.width / 2, frame.height / 2, 1e6));
      return;
    }
    const x = placeX(state.current);
    const y = placeY(state.current);
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < total; i++) {
      if (i === state.current || !isVisible(i)) continue;
      const along = (placeX(i) - x) * dx + (placeY(i) - y) * dy;
      const aside = Math.abs((placeX(i) - x) * dy) + Math.abs((placeY(i) - y) * dx);
      if (along > 0 && aside <= along && along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
    }
    if (best < 0) return;
    bringIntoView(best);
    point(best);
  }

  function bringIntoView(i) {
    const x = placeX(i);
    const y = placeY(i);
    if (x < 0 || x > frame.width) state.x += frame.width / 2 - x;
    if (y < 0 || y > frame.height) state.y += frame.height / 2 - y;
    redraw();
  }

  function zoom(factor, x, y) {
    const scale = Math.min(200, Math.max(1, state.scale * factor));
    const real = scale / state.scale;
    state.x = (state.x + frame.width / 2 - x) * real + x - frame.width / 2;
    state.y = (state.y + frame.height / 2 - y) * real + y - frame.height / 2;
    state.scale = scale;
    if (scale === 1) state.x = state.y = 0;
    point(-1);
    redraw();
  }

  const zoomMiddle = (factor) => zoom(factor, frame.width / 2, frame.height / 2);

  let drag = null;
  canvas.addEventListener("pointerdown", function (event) {
    drag = { x: event.offsetX, y: event.offsetY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", function (event) {
    const { offsetX: x, offsetY: y } = event;
    if (drag && (drag.moved || Math.hypot(x - drag.x, y - drag.y) > 4)) {
      if (state.scale > 1) {
        state.x += x - drag.x;
        state.y += y - drag.y;
      }
      drag = { x, y, moved: true };
      point(-1);
      redraw();
    } else if (!drag) point(nearest(x, y, radius() + 8));
  });
  canvas.addEventListener("pointerup", function (event) {
    const clicked = drag && !drag.moved;
    drag = null;
    if (!clicked) return;
    const i = nearest(event.offsetX, event.offsetY, radius() + 14);
    if (i >= 0) choose(i);
  });
  canvas.addEventListener("pointercancel", () => (drag = null));
  canvas.addEventListener("pointerleave", () => point(-1));
  canvas.addEventListener("blur", () => point(-1));
  canvas.addEventListener("wheel", function (event) {
    // Somebody who only scrolls past must not get caught by the map.
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", function (event) {
    if (ARROWS[event.key]) walk(...ARROWS[event.key]);
    else if (event.key === "Enter" && state.current >= 0) choose(state.current);
    else if (event.key === "Escape") point(-1);
    else if (event.key === "+" || event.key === "=") zoomMiddle(1.5);
    else if (event.key === "-") zoomMiddle(1 / 1.5);
    else return;
    event.preventDefault();
    get("map-said").textContent = state.current < 0 ? "" : `${paths[state.current]}, ${describe(state.current)}`;
  });

  layOut();
  Object.assign(window.vaeMap, { PALETTE, RAMP, state, hiddenSplits, column, redraw, point, choose, zoomMiddle });
  new ResizeObserver(redraw).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
