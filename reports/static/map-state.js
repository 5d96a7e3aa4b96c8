// What is pointed at, chosen, selected, found and hidden. Whoever shows any of it listens.
(function () {
  "use strict";
  const { data, total, splits, codesOf } = window.vaeMap;
  const state = { projection: 0, color: 0, current: -1, chosen: -1, pictures: false, tool: "point", emphasis: null };
  const hiddenSplits = new Set();
  const visible = new Uint8Array(total);
  const selection = { mask: new Uint8Array(total), amount: 0 };
  const found = { mask: new Uint8Array(total), amount: 0 };
  const listeners = [];
  let fresh = false;
  let shown = null; // what stands out: the selection or what was found, whichever changed last

  // "marks": what the marks look like; "point", "choose", "select": what is pointed at, kept, selected.
  const listen = (listener) => listeners.push(listener);
  const tell = (what) => listeners.forEach((listener) => listener(what));

  const column = () => data.colors[state.color];

  function visibleMask() {
    if (fresh) return visible;
    const codes = codesOf(column());
    const { hidden } = column();
    for (let i = 0; i < total; i++) visible[i] = hiddenSplits.has(splits[i]) || hidden.has(codes[i]) ? 0 : 1;
    fresh = true;
    return visible;
  }

  function changed() {
    fresh = false;
    tell("marks");
  }

  function point(i) {
    if (i === state.current) return;
    state.current = i;
    tell("point");
  }

  function choose(i) {
    state.chosen = i;
    tell("choose");
  }

  function color(index) {
    state.color = index;
    state.emphasis = null;
    changed();
  }

  // A code of the current colour that stands out while its name is pointed at; null for none.
  function emphasise(code) {
    if (state.emphasis === code) return;
    state.emphasis = code;
    tell("marks");
  }

  function put(target, indices, how) {
    if (how === "replace") target.mask.fill(0);
    for (const i of indices) target.mask[i] = how === "remove" ? 0 : 1;
    target.amount = target.mask.reduce((sum, one) => sum + one, 0);
    shown = [target, selection, found].find(({ amount }) => amount) || null;
    tell("marks");
  }

  // `how`: "replace", "add" or "remove".
  function select(indices, how) {
    put(selection, indices, how);
    tell("select");
  }

  const find = (indices) => put(found, indices, "replace");

  // Which marks stand out, as a function of the picture; null where all are alike.
  function standsOut() {
    if (state.emphasis !== null) {
      const codes = codesOf(column());
      return (i) => codes[i] === state.emphasis;
    }
    return shown && ((i) => shown.mask[i] === 1);
  }

  function members({ mask }) {
    const indices = [];
    for (let i = 0; i < total; i++) if (mask[i]) indices.push(i);
    return indices;
  }

  Object.assign(window.vaeMap, {
    state, hiddenSplits, selection, found, listen, tell, column, visibleMask, changed, point, choose, color, emphasise, select, find,
    standsOut, members,
  });
})();
