// Selecting on the large map: a lasso or a box by mouse, finger or keyboard.
(function () {
  "use strict";
  const { get, view, state, choose, select, visibleMask, selection, describe, paths } = window.vaeMap;
  const canvas = get("map-canvas");
  let trace = null; // points of the lasso, or two corners of the box
  let corner = -1; // the picture at which a box was begun by keyboard

  const isBox = () => state.tool === "box";

  // Even-odd rule: a ray to the right crosses the outline an odd number of times from inside.
  function inside(polygon, x, y) {
    let within = false;
    for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
      const [ax, ay] = polygon[a];
      const [bx, by] = polygon[b];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
    }
    return within;
  }

  function inBox([[ax, ay], [bx, by]], x, y) {
    return x >= Math.min(ax, bx) && x <= Math.max(ax, bx) && y >= Math.min(ay, by) && y <= Math.max(ay, by);
  }

  const howOf = (event) => (event.shiftKey ? "add" : event.altKey ? "remove" : "replace");

  canvas.addEventListener("pointerdown", function (event) {
    if (state.tool === "point" || event.button !== 0) return;
    event.preventDefault();
    canvas.focus();
    trace = [[event.offsetX, event.offsetY]];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", function (event) {
    if (!trace) return;
    const here = [event.offsetX, event.offsetY];
    if (isBox()) trace[1] = here;
    else trace.push(here);
    view.refresh();
  });
  canvas.addEventListener("pointerup", function (event) {
    if (!trace) return;
    const drawn = trace;
    trace = null;
    if (drawn.length < (isBox() ? 2 : 3)) {
      const i = view.nearest(...drawn[0], view.radius() + 14);
      if (i >= 0) choose(i);
      return;
    }
    select(view.within((x, y) => (isBox() ? inBox(drawn, x, y) : inside(drawn, x, y))), howOf(event));
  });
  canvas.addEventListener("pointercancel", function () {
    trace = null;
    view.refresh();
  });

  view.decorate = function (pen, look) {
    if (corner >= 0 && view.has(corner)) view.ring(corner, look.accent, 3, 9);
    if (!trace || trace.length < 2) return;
    pen.beginPath();
    if (isBox()) pen.rect(...trace[0], trace[1][0] - trace[0][0], trace[1][1] - trace[0][1]);
    else trace.forEach(([x, y]) => pen.lineTo(x, y));
    pen.globalAlpha = 0.12;
    pen.fillStyle = look.accent;
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5;
    pen.strokeStyle = look.accent;
    pen.stroke();
  };

  function say(text) {
    get("map-said").textContent = text;
  }

  // The first press marks one corner of a box, the second the other one and selects.
  function pressBox(event) {
    if (corner < 0) {
      corner = state.current;
      say(`Box begun at ${paths[corner]}, ${describe(corner)}. Walk to the opposite corner and press B again.`);
      return view.refresh();
    }
    const corners = [corner, state.current].map((i) => [view.placeX(i), view.placeY(i)]);
    corner = -1;
    select(view.within((x, y) => inBox(corners, x, y)), howOf(event));
  }

  canvas.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey) return;
    const key = event.key.toLowerCase();
    if (key === " " && state.current >= 0) {
      select([state.current], selection.mask[state.current] ? "remove" : "add");
    } else if (key === "b" && state.current >= 0) pressBox(event);
    else if (key === "a") selectShown();
    else if (key === "escape" && corner >= 0) {
      corner = -1;
      return view.refresh();
    } else return;
    event.preventDefault();
  });

  function selectShown() {
    const mask = visibleMask();
    select(Array.from(mask.keys()).filter((i) => mask[i]), "replace");
  }

  function use(tool) {
    state.tool = tool;
    canvas.classList.toggle("selecting", tool !== "point");
  }

  Object.assign(window.vaeMap, { use, selectShown, say });
})();
