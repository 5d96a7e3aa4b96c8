// What was selected: the pictures, how many more of each class than elsewhere, and their names as a file.
(function () {
  "use strict";
  const { NAMED, data, total, files, splits, get, make, count, plural, codesOf, valueOf } = window.vaeMap;
  const { column, selection, members, select, listen, pictureButton, say } = window.vaeMap;
  const SHOWN_AT_ONCE = 48;
  const LONGEST_TABLE = 20;
  let more = 1;

  // The classes where there are some, whatever the map is coloured by, unless that is a category of its own.
  const counted = () => (column().kind === "category" ? column() : data.colors.find((c) => c.kind === "category"));

  // Share of a category among the selected over its share among all.
  function enrichment(c, chosen) {
    const codes = codesOf(c);
    const all = new Map();
    const here = new Map();
    for (const code of codes) all.set(code, (all.get(code) || 0) + 1);
    for (const i of chosen) here.set(codes[i], (here.get(codes[i]) || 0) + 1);
    return [...all].map(function ([code, amount]) {
      const selected = here.get(code) || 0;
      const name = code === c.missing ? "none" : c.names[code];
      return { name, selected, amount, fold: selected / chosen.length / (amount / total) };
    }).sort((a, b) => b.selected - a.selected || b.amount - a.amount);
  }

  function row(cells, tag) {
    const line = make("tr");
    cells.forEach(function (text, k) {
      const cell = make(k && tag === "td" ? "td" : "th", "", text);
      if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
      line.append(cell);
    });
    return line;
  }

  const percent = (share) => `${Number((100 * share).toPrecision(2))} %`;

  function showEnrichment(chosen) {
    const c = counted();
    get("selection-classes").hidden = !c;
    if (!c) return;
    const rows = enrichment(c, chosen);
    const head = make("thead");
    const body = make("tbody");
    head.append(row([c.name, "Selected", "Share here", "Share of all", "Fold"], "th"));
    body.append(...rows.slice(0, LONGEST_TABLE).map(({ name, selected, amount, fold }) =>
      row([name, count(selected), percent(selected / chosen.length), percent(amount / total), `${Number(fold.toPrecision(2))}×`], "td")));
    get("selection-table").replaceChildren(head, body);
    get("selection-left").textContent = rows.length > LONGEST_TABLE ? `${rows.length - LONGEST_TABLE} more are not shown.` : "";
  }

  function showPictures(chosen) {
    const part = chosen.slice(0, more * SHOWN_AT_ONCE);
    get("selection-tiles").replaceChildren(...part.map((i) => pictureButton(i, 64)));
    get("selection-more").hidden = part.length === chosen.length;
  }

  function show() {
    const chosen = members(selection);
    get("selection").hidden = !chosen.length;
    get("selection-title").textContent = `Selected by eye: ${plural(chosen.length)}`;
    say(chosen.length ? `${plural(chosen.length)} selected` : "Nothing selected");
    if (!chosen.length) return;
    showEnrichment(chosen);
    showPictures(chosen);
  }

  // A spreadsheet takes what begins with one of these for a formula; an apostrophe makes it text (OWASP).
  function cell(text) {
    const safe = /^[\s]*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  function csv(chosen) {
    const known = data.colors.filter((c) => c.kind === "category" && c.listed);
    const rows = chosen.map((i) => [files[i], data.splits.names[splits[i]], ...known.map((c) => valueOf(c, i, c.exact))]);
    return [[NAMED.toLowerCase(), "part", ...known.map((c) => c.name)], ...rows].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    const link = make("a");
    // A byte order mark lets spreadsheets read the names as UTF-8.
    link.href = URL.createObjectURL(new Blob(["\uFEFF", csv(members(selection))], { type: "text/csv" }));
    link.download = `selected-${selection.amount}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  listen(function (what) {
    if (what === "select") {
      more = 1;
      show();
    } else if (what === "marks" && selection.amount) showEnrichment(members(selection));
  });
  get("selection-more").addEventListener("click", function () {
    more += 1;
    showPictures(members(selection));
  });
  get("selection-save").addEventListener("click", save);
  get("selection-clear").addEventListener("click", function () {
    select([], "replace");
    get("map-canvas").focus();
  });
})();
