// The other maps, small: what is pointed at, chosen or selected in one is shown in all.
(function () {
  "use strict";
  const { data, get, make, View, listen, state, point, choose, placesOf } = window.vaeMap;
  const small = [];

  function linked(canvas, xy, places) {
    const view = new View(canvas);
    setTimeout(() => view.show(xy, places)); // the large map first: it is the one that is looked at
    canvas.addEventListener("pointermove", (event) => view.xy && point(view.nearest(event.offsetX, event.offsetY, 12)));
    canvas.addEventListener("pointerleave", () => point(-1));
    canvas.addEventListener("click", function (event) {
      const i = view.nearest(event.offsetX, event.offsetY, 16);
      if (i >= 0) choose(i);
    });
    small.push(view);
  }

  listen(function (what) {
    if (what === "marks") setTimeout(() => small.forEach((view) => view.redraw()));
    else small.forEach((view) => view.refresh());
  });

  const figures = data.projections.map(function ({ name, xy }, index) {
    const figure = make("figure");
    const canvas = make("canvas");
    const button = make("button", "", name);
    button.append(make("span", "on-screen", ": make it large"));
    button.type = "button";
    button.addEventListener("click", () => get("map-projections").querySelectorAll("input")[index].click());
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `The same ${data.noun}s by ${name}`);
    figure.append(canvas, button);
    get("map-minis").append(figure);
    linked(canvas, xy, null);
    return figure;
  });
  get("map-minis").hidden = data.projections.length < 2;

  function showOthers() {
    figures.forEach((figure, index) => (figure.hidden = index === state.projection));
  }

  if (data.variants) {
    const places = placesOf(data.variants.at);
    document.querySelectorAll("#variants canvas").forEach(function (canvas, k) {
      const { xy, shapeless } = data.variants.maps[k];
      if (shapeless) cloud(canvas, xy);
      else linked(canvas, xy, places);
    });
  }

  // Points that are no pictures: all alike, and nothing to point at.
  function cloud(canvas, xy) {
    const view = new View(canvas);
    const drawMarks = view.drawMarks.bind(view);
    view.has = () => false;
    view.show(xy, new Int32Array(data.count).fill(-1));
    view.drawMarks = function (ratio) {
      drawMarks(ratio);
      const pen = view.marks.getContext("2d");
      pen.fillStyle = window.vaeMap.theme().none;
      const { width, height, fit, midX, midY } = view;
      const side = xy.length > 1000 ? 2 : 4;
      for (let k = 0; k < xy.length; k += 2) {
        pen.fillRect(width / 2 + (xy[k] - midX) * fit - side / 2, height / 2 - (xy[k + 1] - midY) * fit - side / 2, side, side);
      }
    };
  }

  Object.assign(window.vaeMap, { showOthers });
})();
