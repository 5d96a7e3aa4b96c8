// What stands around the map: its switches, its legend, and the same pictures as a table.
(function () {
  "use strict";
  const { NONE, NAMED, SHAPES, data, total, paths, splits, get, make, valueOf } = window.vaeMap;
  const { PALETTE, RAMP, state, hiddenSplits, column, redraw, point, choose, zoomMiddle } = window.vaeMap;
  const PER_PAGE = 25;
  let page = 0;

  const kindOf = (code) => (code === NONE ? "" : "k" + (code % PALETTE));

  function legendButton(swatch, name, amount, hidden, code) {
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!hidden.has(code)));
    button.append(make("span", `swatch ${swatch}`), make("span", "name", name), make("span", "amount", amount.toLocaleString("en")));
    button.addEventListener("click", function () {
      if (!hidden.delete(code)) hidden.add(code);
      button.setAttribute("aria-pressed", String(!hidden.has(code)));
      redraw();
    });
    return button;
  }

  function tally(codes) {
    const amounts = new Map();
    for (const code of codes) amounts.set(code, (amounts.get(code) || 0) + 1);
    return amounts;
  }

  function showLegend() {
    const c = column();
    const legend = get("map-legend");
    const categories = c.kind === "category";
    get("legend-title").textContent = c.name;
    get("legend-all").parentElement.hidden = !categories;
    legend.replaceChildren();
    if (categories) {
      const amounts = tally(c.codes);
      for (const code of [...amounts.keys()].sort((a, b) => a - b)) {
        const name = code === NONE ? "none" : c.names[code];
        legend.append(legendButton(kindOf(code), name, amounts.get(code), c.hidden, code));
      }
      return;
    }
    const scale = make("canvas", "scale");
    const ends = make("div", "scale-ends");
    scale.width = RAMP.length;
    scale.height = 1;
    const pen = scale.getContext("2d");
    RAMP.forEach(function (color, i) {
      pen.fillStyle = color;
      pen.fillRect(i, 0, 1, 1);
    });
    ends.append(make("span", "", String(Number(c.low.toPrecision(3)))), make("span", "", String(Number(c.high.toPrecision(3)))));
    legend.append(scale, ends);
  }

  function showSplits() {
    const amounts = tally(splits);
    data.splits.labels.forEach(function (label, code) {
      get("map-splits").append(legendButton(SHAPES[code], label, amounts.get(code), hiddenSplits, code));
    });
  }

  function toggleAll(hide) {
    const { codes, hidden } = column();
    hidden.clear();
    if (hide) for (const code of codes) hidden.add(code);
    showLegend();
    redraw();
  }

  function selectProjection(index) {
    Object.assign(state, { projection: index, scale: 1, x: 0, y: 0 });
    get("map-note").textContent = data.projections[index].note;
    point(-1);
    redraw();
  }

  data.projections.forEach(function ({ name }, index) {
    const label = make("label", "", name);
    const radio = make("input");
    Object.assign(radio, { type: "radio", name: "projection", checked: index === 0 });
    radio.addEventListener("change", () => selectProjection(index));
    label.prepend(radio);
    get("map-projections").append(label);
  });
  data.colors.forEach(({ name }, index) => get("map-color").append(new Option(name, String(index))));
  get("map-color").addEventListener("change", function (event) {
    state.color = Number(event.target.value);
    showLegend();
    redraw();
  });
  get("map-thumbnails").parentElement.hidden = !data.tile;
  get("map-thumbnails").addEventListener("change", function (event) {
    state.pictures = event.target.checked;
    redraw();
  });
  get("legend-all").addEventListener("click", () => toggleAll(false));
  get("legend-none").addEventListener("click", () => toggleAll(true));
  get("map-in").addEventListener("click", () => zoomMiddle(1.5));
  get("map-out").addEventListener("click", () => zoomMiddle(1 / 1.5));
  get("map-reset").addEventListener("click", () => zoomMiddle(1e-9));

  // For readers who cannot see a canvas.
  function showList() {
    const wanted = get("list-filter").value.toLowerCase();
    const found = [];
    for (let i = 0; i < total; i++) if (paths[i].toLowerCase().includes(wanted)) found.push(i);
    page = Math.max(0, Math.min(page, Math.ceil(found.length / PER_PAGE) - 1));
    const rows = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
    const head = make("tr");
    head.append(...[NAMED, "Split", ...data.colors.map((c) => c.name)].map(function (name) {
      const cell = make("th", "", name);
      cell.scope = "col";
      return cell;
    }));
    get("list-table").replaceChildren(head, ...rows.map(listRow));
    const first = found.length ? page * PER_PAGE + 1 : 0;
    get("list-place").textContent = `${first} to ${page * PER_PAGE + rows.length} of ${found.length}`;
    get("list-back").disabled = page === 0;
    get("list-on").disabled = (page + 1) * PER_PAGE >= found.length;
  }

  function listRow(i) {
    const row = make("tr");
    const button = make("button", "", paths[i]);
    const cell = make("td");
    button.type = "button";
    button.addEventListener("click", () => choose(i));
    cell.append(button);
    row.append(cell, make("td", "", data.splits.labels[splits[i]]), ...data.colors.map((c) => make("td", "", valueOf(c, i))));
    return row;
  }

  function turn(pages) {
    page += pages;
    showList();
  }

  get("map-list").addEventListener("toggle", showList);
  get("list-filter").addEventListener("input", showList);
  get("list-back").addEventListener("click", () => turn(-1));
  get("list-on").addEventListener("click", () => turn(1));

  get("map").hidden = false;
  showSplits();
  showLegend();
  selectProjection(0);
})();
