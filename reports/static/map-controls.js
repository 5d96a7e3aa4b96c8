// The switches above the map; the last of its scripts, which shows it.
(function () {
  "use strict";
  const { data, get, make, state, color, changed, project, showOthers, zoomMiddle, use, selectShown } = window.vaeMap;

  function segments(box, name, labels, choose) {
    labels.forEach(function (text, index) {
      const label = make("label", "", text);
      const radio = make("input");
      Object.assign(radio, { type: "radio", name, checked: index === 0 });
      radio.addEventListener("change", () => choose(index));
      label.prepend(radio);
      box.append(label);
    });
  }

  function selectProjection(index) {
    project(index);
    showOthers();
  }

  const TOOLS = ["point", "lasso", "box"];
  segments(get("map-projections"), "projection", data.projections.map(({ name }) => name), selectProjection);
  segments(get("map-tools"), "tool", ["Point", "Lasso", "Box"], (index) => use(TOOLS[index]));

  const latents = make("optgroup");
  latents.label = "Latents";
  data.colors.forEach(function ({ name, listed, kind }, index) {
    (listed || kind === "category" ? get("map-color") : latents).append(new Option(name, String(index)));
  });
  if (latents.children.length) get("map-color").append(latents);
  get("map-color").addEventListener("change", (event) => color(Number(event.target.value)));
  get("map-thumbnails").parentElement.hidden = !data.tile;
  get("map-thumbnails").addEventListener("change", function (event) {
    state.pictures = event.target.checked;
    changed();
  });
  get("select-shown").addEventListener("click", selectShown);
  get("map-in").addEventListener("click", () => zoomMiddle(1.5));
  get("map-out").addEventListener("click", () => zoomMiddle(1 / 1.5));
  get("map-reset").addEventListener("click", () => zoomMiddle(1e-9));

  get("map").hidden = false;
  selectProjection(0);
})();
