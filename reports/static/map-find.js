// Searching by name and label: what is found stands out on the maps and fills the table, which also serves readers who
// cannot see a canvas.
(function () {
  "use strict";
  const { NAMED, data, total, paths, splits, get, make, codesOf, valueOf, plural, choose, point, find, found, members, select } = window.vaeMap;
  const PER_PAGE = 25;
  let page = 0;
  let listed = null; // positions in the table; null for all

  // A picture is found by its name, or by any of its labels.
  function search(wanted) {
    const labels = data.colors.filter((c) => c.kind === "category" && c.listed).map(function (c) {
      const matching = new Set(c.names.flatMap((name, code) => (name.toLowerCase().includes(wanted) ? [code] : [])));
      return { codes: codesOf(c), matching };
    }).filter(({ matching }) => matching.size);
    const hits = [];
    for (let i = 0; i < total; i++) {
      if (paths[i].toLowerCase().includes(wanted) || labels.some(({ codes, matching }) => matching.has(codes[i]))) hits.push(i);
    }
    return hits;
  }

  function showFound() {
    const wanted = get("map-find").value.trim().toLowerCase();
    listed = wanted ? search(wanted) : null;
    page = 0;
    find(listed || []);
    get("find-count").textContent = listed ? `${plural(listed.length)} found` : "";
    get("find-select").hidden = !listed || !listed.length;
    showList();
  }

  function listRow(i) {
    const row = make("tr");
    const button = make("button", "", paths[i]);
    const cell = make("td");
    button.type = "button";
    button.addEventListener("click", () => choose(i));
    button.addEventListener("pointerenter", () => point(i));
    button.addEventListener("pointerleave", () => point(-1));
    cell.append(button);
    const values = data.colors.filter((c) => c.listed).map((c) => make("td", "", valueOf(c, i)));
    row.append(cell, make("td", "", data.splits.labels[splits[i]]), ...values);
    return row;
  }

  function showList() {
    if (!get("map-list").open) return;
    const amount = listed ? listed.length : total;
    page = Math.max(0, Math.min(page, Math.ceil(amount / PER_PAGE) - 1));
    const first = page * PER_PAGE;
    const last = Math.min(amount, first + PER_PAGE);
    const positions = Array.from({ length: last - first }, (_, k) => (listed ? listed[first + k] : first + k));
    const head = make("tr");
    head.append(...[NAMED, "Split", ...data.colors.filter((c) => c.listed).map((c) => c.name)].map(function (name) {
      const cell = make("th", "", name);
      cell.scope = "col";
      return cell;
    }));
    get("list-table").replaceChildren(head, ...positions.map(listRow));
    get("list-place").textContent = `${amount ? first + 1 : 0} to ${last} of ${amount}`;
    get("list-back").disabled = page === 0;
    get("list-on").disabled = last >= amount;
  }

  function turn(pages) {
    page += pages;
    showList();
  }

  get("map-list").addEventListener("toggle", showList);
  get("map-find").addEventListener("input", showFound);
  get("map-find").addEventListener("keydown", (event) => event.key === "Enter" && found.amount && choose(listed[0]));
  get("find-select").addEventListener("click", () => select(members(found), "replace"));
  get("list-back").addEventListener("click", () => turn(-1));
  get("list-on").addEventListener("click", () => turn(1));
})();
