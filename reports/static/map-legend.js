// The legend: what each colour and letter means; a click hides or shows, pointing makes it stand out.
(function () {
  "use strict";
  const { SHAPES, data, splits, get, make, codesOf, count } = window.vaeMap;
  const { PALETTE, RAMP, letterOf, hiddenSplits, column, changed, emphasise, listen } = window.vaeMap;
  let shownFor = null;

  function tally(codes) {
    const amounts = new Map();
    for (const code of codes) amounts.set(code, (amounts.get(code) || 0) + 1);
    return amounts;
  }

  function legendButton(swatch, letter, name, amount, hidden, code) {
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!hidden.has(code)));
    button.append(make("span", `swatch ${swatch}`));
    if (letter) button.append(make("span", "letter", letter));
    button.append(make("span", "name", name), make("span", "amount", count(amount)));
    button.addEventListener("click", function () {
      if (!hidden.delete(code)) hidden.add(code);
      button.setAttribute("aria-pressed", String(!hidden.has(code)));
      emphasise(null);
      changed();
    });
    return button;
  }

  function standsOutWhilePointedAt(button, code, hidden) {
    const on = () => hidden.has(code) || emphasise(code);
    const off = () => emphasise(null);
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && on());
    button.addEventListener("pointerleave", off);
    button.addEventListener("focus", () => button.matches(":focus-visible") && on());
    button.addEventListener("blur", off);
  }

  function categories(c) {
    const amounts = tally(codesOf(c));
    return [...amounts.keys()].sort((a, b) => a - b).map(function (code) {
      const missing = code === c.missing;
      const swatch = missing ? "" : "k" + (code % PALETTE);
      const button = legendButton(swatch, letterOf(c, code), missing ? "none" : c.names[code], amounts.get(code), c.hidden, code);
      standsOutWhilePointedAt(button, code, c.hidden);
      return button;
    });
  }

  function scale(c) {
    const strip = make("canvas", "scale");
    const ends = make("div", "scale-ends");
    Object.assign(strip, { width: RAMP.length, height: 1 });
    const pen = strip.getContext("2d");
    RAMP.forEach(function (color, i) {
      pen.fillStyle = color;
      pen.fillRect(i, 0, 1, 1);
    });
    ends.append(...[c.low, c.high].map((end) => make("span", "", String(Number(end.toPrecision(3))))));
    return [strip, ends];
  }

  function showLegend() {
    const c = column();
    shownFor = c;
    get("legend-title").textContent = c.name;
    get("legend-all").parentElement.hidden = c.kind !== "category";
    get("map-legend").replaceChildren(...(c.kind === "category" ? categories(c) : scale(c)));
  }

  function toggleAll(hide) {
    const { hidden } = column();
    hidden.clear();
    if (hide) for (const code of codesOf(column())) hidden.add(code);
    showLegend();
    changed();
  }

  listen((what) => what === "marks" && shownFor !== column() && showLegend());
  const amounts = tally(splits);
  data.splits.labels.forEach((label, code) => get("map-splits").append(legendButton(SHAPES[code], "", label, amounts.get(code), hiddenSplits, code)));
  get("legend-all").addEventListener("click", () => toggleAll(false));
  get("legend-none").addEventListener("click", () => toggleAll(true));
  showLegend();
})();
