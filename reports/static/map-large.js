// The large map: pointing, zooming, moving, walking by keyboard, and pictures in place of marks.
(function () {
  "use strict";
  const { data, total, paths, splits, SHAPES, get, count, describe, fitted, drawTile, showThumbnail, codesOf } = window.vaeMap;
  const { View, state, column, visibleMask, colorOf, binOf, listen, point, choose } = window.vaeMap;
  const canvas = get("map-canvas");
  const tip = get("map-tip");
  const view = new View(canvas, { whole: true });

  view.drawn = function () {
    let amount = 0;
    for (const one of visibleMask()) amount += one;
    const frames = state.pictures ? "; a dashed frame: not trained on" : "";
    get("map-count").textContent = `${count(amount)} of ${count(total)} ${data.noun}s shown${frames}`;
    canvas.dataset.drawn = amount;
    canvas.classList.toggle("zoomed", view.scale > 1.01);
  };

  // As many pictures as fit without covering each other, framed in the colour of their mark.
  view.under = function (pen, look) {
    if (!state.pictures) return;
    const [width, height] = fitted(48);
    const stepX = width + 6;
    const stepY = height + 6;
    const cells = new Map();
    const codes = codesOf(column());
    for (const i of view.order) {
      const x = view.placeX(i);
      const y = view.placeY(i);
      if (!view.has(i) || x < 0 || y < 0 || x > view.width || y > view.height) continue;
      if (!isFree(cells, x, y, stepX, stepY)) continue;
      drawTile(pen, i, x - width / 2, y - height / 2, width, height, () => view.redraw());
      pen.lineWidth = 2.5;
      pen.setLineDash(SHAPES[splits[i]] === "disc" ? [] : [4, 3]);
      pen.strokeStyle = colorOf(column(), binOf(column(), codes[i]), look);
      pen.strokeRect(x - width / 2 - 1, y - height / 2 - 1, width + 2, height + 2);
      pen.setLineDash([]);
    }
  };

  // Takes the place, too.
  function isFree(cells, x, y, stepX, stepY) {
    const a = Math.floor(x / stepX);
    const b = Math.floor(y / stepY);
    for (let da = -1; da <= 1; da++) {
      for (let db = -1; db <= 1; db++) {
        const other = cells.get(`${a + da},${b + db}`);
        if (other && Math.abs(other[0] - x) < stepX && Math.abs(other[1] - y) < stepY) return false;
      }
    }
    cells.set(`${a},${b}`, [x, y]);
    return true;
  }

  function showTip() {
    const i = state.current;
    tip.hidden = i < 0;
    if (i < 0) return;
    showThumbnail(tip.querySelector("canvas"), i, 112);
    tip.querySelector(".path").textContent = paths[i];
    tip.querySelector(".detail").textContent = describe(i);
    const x = view.placeX(i);
    const y = view.placeY(i);
    const left = x + 16 + tip.offsetWidth > view.width ? x - 16 - tip.offsetWidth : x + 16;
    tip.style.left = `${Math.min(Math.max(left, 0), Math.max(0, view.width - tip.offsetWidth))}px`;
    tip.style.top = `${Math.min(Math.max(y - tip.offsetHeight / 2, 0), Math.max(0, view.height - tip.offsetHeight))}px`;
  }

  listen(function (what) {
    if (what === "point") showTip();
    if (what === "marks") view.redraw();
    else view.refresh();
  });

  // The nearest picture within 45° of the arrow's direction; far ones off the axis cost more.
  function walk(dx, dy) {
    if (state.current < 0) {
      point(view.has(state.chosen) ? state.chosen : view.nearest(view.width / 2, view.height / 2, 1e6));
      return;
    }
    const x = view.placeX(state.current);
    const y = view.placeY(state.current);
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < total; i++) {
      if (i === state.current || !view.has(i)) continue;
      const along = (view.placeX(i) - x) * dx + (view.placeY(i) - y) * dy;
      const aside = Math.abs((view.placeX(i) - x) * dy) + Math.abs((view.placeY(i) - y) * dx);
      if (along > 0 && aside <= along && along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
    }
    if (best < 0) return;
    bringIntoView(best);
    point(best);
  }

  function bringIntoView(i) {
    const x = view.placeX(i);
    const y = view.placeY(i);
    if (x < 0 || x > view.width) view.x += view.width / 2 - x;
    if (y < 0 || y > view.height) view.y += view.height / 2 - y;
    view.redraw();
  }

  function zoom(factor, x, y) {
    const scale = Math.min(200, Math.max(1, view.scale * factor));
    const real = scale / view.scale;
    view.x = (view.x + view.width / 2 - x) * real + x - view.width / 2;
    view.y = (view.y + view.height / 2 - y) * real + y - view.height / 2;
    view.scale = scale;
    if (scale === 1) view.x = view.y = 0;
    point(-1);
    view.redraw();
  }

  const zoomMiddle = (factor) => zoom(factor, view.width / 2, view.height / 2);

  function project(index) {
    state.projection = index;
    Object.assign(view, { scale: 1, x: 0, y: 0 });
    view.show(data.projections[index].xy);
    get("map-note").textContent = data.projections[index].note;
    point(-1);
  }

  let drag = null;
  canvas.addEventListener("pointerdown", function (event) {
    if (state.tool !== "point") return;
    drag = { x: event.offsetX, y: event.offsetY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", function (event) {
    const { offsetX: x, offsetY: y } = event;
    if (drag && (drag.moved || Math.hypot(x - drag.x, y - drag.y) > 4)) {
      if (view.scale > 1) {
        view.x += x - drag.x;
        view.y += y - drag.y;
      }
      drag = { x, y, moved: true };
      point(-1);
      view.redraw();
    } else if (!event.buttons) point(view.nearest(x, y, view.radius() + 8));
  });
  canvas.addEventListener("pointerup", function (event) {
    const clicked = drag && !drag.moved;
    drag = null;
    if (!clicked) return;
    const i = view.nearest(event.offsetX, event.offsetY, view.radius() + 14);
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (ARROWS[event.key]) walk(...ARROWS[event.key]);
    else if (event.key === "Enter" && state.current >= 0) choose(state.current);
    else if (event.key === "Escape") point(-1);
    else if (event.key === "+" || event.key === "=") zoomMiddle(1.5);
    else if (event.key === "-") zoomMiddle(1 / 1.5);
    else return;
    event.preventDefault();
    get("map-said").textContent = state.current < 0 ? "" : `${paths[state.current]}, ${describe(state.current)}`;
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.vaeMap.tell("marks"));

  Object.assign(window.vaeMap, { view, project, zoomMiddle });
})();
