// The picture that was clicked: itself, what the model makes of it, what is known of it, and its neighbours.
(function () {
  "use strict";
  const { NAMED, data, paths, splits, get, make, count, valueOf, neighboursOf, rebuilt, placeIn, showThumbnail } = window.vaeMap;
  const { state, listen, choose, point, select } = window.vaeMap;
  const FIRST_FACTS = 7;
  let opened = false; // whether the further facts are, from picture to picture

  function drawnPicture(i, side, caption, atlas) {
    const figure = make("figure");
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${caption} of ${paths[i]}`);
    showThumbnail(canvas, i, side, atlas);
    figure.append(canvas, make("figcaption", "", caption));
    figure.hidden = canvas.hidden;
    return figure;
  }

  function pictures(i) {
    const row = make("div", "pair");
    if (!data.tile) return row;
    row.append(drawnPicture(i, 136, "Original"));
    if (placeIn(rebuilt, i) >= 0) row.append(drawnPicture(i, 136, "Reconstruction", rebuilt));
    else if (rebuilt) {
      row.append(make("p", "note", `Reconstructions of ${count(data.rebuilt.count)} of ${count(data.count)} ${data.noun}s are kept; this one’s is not.`));
    }
    return row;
  }

  function facts(i) {
    const shown = data.colors.filter((c, index) => c.listed || index === state.color);
    const rows = [[NAMED, paths[i]], ["Split", data.splits.labels[splits[i]]], ...shown.map((c) => [c.name, valueOf(c, i)])];
    const box = make("div");
    box.append(listOf(rows.slice(0, FIRST_FACTS)));
    if (rows.length <= FIRST_FACTS) return box;
    const more = make("details");
    more.open = opened;
    more.addEventListener("toggle", () => (opened = more.open));
    more.append(make("summary", "", `${rows.length - FIRST_FACTS} more facts`), listOf(rows.slice(FIRST_FACTS)));
    box.append(more);
    return box;
  }

  function listOf(rows) {
    const list = make("dl");
    for (const [name, value] of rows) list.append(make("dt", "", name), make("dd", "", value));
    return list;
  }

  // A picture as a button that chooses it; pointing at it rings it on every map.
  function pictureButton(i, side) {
    const button = make("button", "picture");
    button.type = "button";
    if (data.tile) {
      const canvas = make("canvas");
      showThumbnail(canvas, i, side);
      button.append(canvas);
      button.setAttribute("aria-label", paths[i]);
      button.title = paths[i];
    } else button.textContent = paths[i];
    button.addEventListener("click", () => choose(i));
    button.addEventListener("pointerenter", () => point(i));
    button.addEventListener("pointerleave", () => point(-1));
    return button;
  }

  function neighbours(i) {
    const near = neighboursOf(i);
    const box = make("div", "near");
    if (!near.length) return box;
    const row = make("div", "thumbnails");
    row.append(...near.map((j) => pictureButton(j, 56)));
    const all = make("button", "", "Select these");
    all.type = "button";
    all.addEventListener("click", () => select([i, ...near], "replace"));
    box.append(make("h3", "", "Nearest in the latent space itself"), row, all);
    return box;
  }

  function show() {
    const i = state.chosen;
    const help = get("map-help");
    const box = make("div");
    box.append(pictures(i), facts(i), neighbours(i));
    get("map-panel").replaceChildren(box, help);
    help.className = "hidden";
  }

  listen((what) => what === "choose" && show());
  Object.assign(window.vaeMap, { pictureButton });
})();
