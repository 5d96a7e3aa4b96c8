// Sliders that draw, and a dropped picture beside what the model makes of it; the networks run in the page, or where it
// is served from (served.js).
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("explore-data").textContent);
  const get = (id) => document.getElementById(id);
  const { halves, run } = window.vaeNetwork;
  let served = null;
  const [height, width, channels] = data.shape;
  const size = data.order.length;
  const weights = data.decode && halves(data.weights);
  const samples = halves(data.samples);
  const means = halves(data.means);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const STEP = 0.05;
  const REACH = 3;
  let z = Float32Array.from(data.average);
  let asked = 0;
  let isDrawing = false;

  const inPage = (latent) => run(data.decode, weights, { data: Float32Array.from(latent), shape: [size] }).data;
  const decode = async (latent) => (data.decode ? inPage(latent) : served.decode(latent));
  const encode = (levels) =>
    run(data.encode, weights, { data: Float32Array.from(levels, (v) => v / 255), shape: data.shape }).data;

  // Draws levels from 0 to 1 into a canvas of the model's own size; the style sheet makes it large.
  function paint(canvas, levels) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * levels[channels * i + (channels === 3 ? c : 0)]);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  // However fast a slider moves, the picture is drawn once for each frame of the screen, and one after the other.
  function draw() {
    if (asked) return;
    asked = requestAnimationFrame(async () => {
      asked = 0;
      if (isDrawing) return draw();
      isDrawing = true;
      const began = performance.now();
      try {
        paint(get("drawn"), await decode(z));
        get("drawn").dataset.milliseconds = (performance.now() - began).toFixed(1);
      } catch (error) {
        get("said").textContent = `The server does not answer (${error.message}).`;
      }
      isDrawing = false;
    });
  }

  const sliders = data.order.map((dimension, rank) => {
    const label = document.createElement("label");
    label.className = "slider";
    const name = document.createElement("span");
    name.textContent = `z${dimension}`;
    const input = document.createElement("input");
    const output = document.createElement("output");
    const spread = data.spread[dimension] || 1;
    Object.assign(input, { type: "range", min: -REACH, max: REACH, step: STEP });
    input.setAttribute("aria-label", `Latent ${dimension}`);
    label.append(name, input, output);
    get(rank < data.sliders ? "sliders" : "more-sliders").append(label);
    function show() {
      const steps = (z[dimension] - data.average[dimension]) / spread;
      input.value = steps;
      const size = Math.abs(steps).toFixed(1);
      output.textContent = size === "0.0" ? size : `${steps < 0 ? "−" : "+"}${size}`;
      input.setAttribute("aria-valuetext", `${output.textContent} standard deviations from the average`);
    }
    input.addEventListener("input", () => {
      z[dimension] = data.average[dimension] + Number(input.value) * spread;
      show();
      draw();
    });
    return show;
  });

  function goTo(latent, said) {
    z = Float32Array.from(latent);
    for (const show of sliders) show();
    get("drawn-note").textContent = said;
    draw();
  }

  // The thumbnail of picture i as a button, and as a canvas in it.
  const sheets = [];
  function tile(i) {
    const { width: w, height: h, columns, perSheet } = data.tile;
    const canvas = document.createElement("canvas");
    canvas.width = w;
    canvas.height = h;
    const number = Math.floor(i / perSheet);
    if (!sheets[number]) {
      sheets[number] = new Image();
      sheets[number].src = data.tile.sheets[number];
    }
    const sheet = sheets[number];
    const place = i % perSheet;
    const put = () =>
      canvas.getContext("2d").drawImage(sheet, (place % columns) * w, Math.floor(place / columns) * h, w, h, 0, 0, w, h);
    if (sheet.complete) put();
    else sheet.addEventListener("load", put);
    return canvas;
  }

  function list(element, positions, captions) {
    element.replaceChildren(
      ...positions.map((i, rank) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        const caption = document.createElement("span");
        button.type = "button";
        button.title = data.paths[i];
        button.setAttribute("aria-label", `Go to ${data.paths[i]}${captions ? `, ${captions[rank]}` : ""}`);
        caption.className = "caption";
        caption.textContent = [data.classes[i], data.splits[i], captions && captions[rank]].filter(Boolean).join("\n");
        button.append(tile(i), caption);
        button.addEventListener("click", () => choose(i));
        item.append(button);
        return item;
      }),
    );
  }

  const latentOf = (i) => means.subarray(i * size, (i + 1) * size);

  function choose(i) {
    goTo(latentOf(i), `${data.paths[i]} (${data.splits[i]}), as the model draws it`);
    get("original").replaceChildren(tile(i));
    get("original-figure").hidden = false;
    get("original-note").textContent = "Original";
    showNeighbours(i);
  }

  // The nearest by Euclidean distance between latents, the picture itself left out.
  function showNeighbours(self) {
    const distance = data.paths.map((_, i) => {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += (means[i * size + k] - z[k]) ** 2;
      return Math.sqrt(sum);
    });
    const nearest = distance.map((_, i) => i).filter((i) => i !== self).sort((a, b) => distance[a] - distance[b]).slice(0, 8);
    list(get("neighbours"), nearest, nearest.map((i) => `distance ${distance[i].toFixed(1)}`));
    get("neighbours-section").hidden = false;
  }

  // What the browser reads and the page computes; the server says the same, and how odd the picture is.
  async function readHere(file) {
    if (!data.encode) throw new Error("the server takes JPEG and PNG files");
    const levels = await window.vaePicture.read(file, data.shape, data.fit);
    const mean = encode(levels);
    const drawn = inPage(mean);
    let error = 0;
    for (let i = 0; i < drawn.length; i++) error += (drawn[i] - levels[i] / 255) ** 2;
    return { levels, mean, error: error / drawn.length };
  }

  async function read(file) {
    const isServed = served && served.take && ["image/jpeg", "image/png"].includes(file.type);
    return isServed ? served.take(file) : readHere(file);
  }

  async function take(file) {
    if (!file) return;
    let found;
    try {
      found = await read(file);
    } catch (error) {
      get("said").textContent = `${file.name} is no picture that can be read here; python cli.py reconstruct reads more formats.`;
      return;
    }
    const { levels, mean, error, isOdd, pValue } = found;
    goTo(mean, `${file.name}, as the model draws it`);
    const canvas = document.createElement("canvas");
    paint(canvas, levels.map((v) => v / 255));
    get("original").replaceChildren(canvas);
    get("original-figure").hidden = false;
    get("original-note").textContent = `${file.name}, as the model sees it`;
    const odd = isOdd === undefined ? "" : ` ${isOdd ? "Odd" : "Not odd"} by the run's threshold: ${(100 * pValue).toFixed(1)} % of normal pictures are at least as odd.`;
    get("said").textContent = `Mean squared error of the reconstruction: ${error.toPrecision(3)} of the grey range squared.${odd}`;
    showNeighbours(-1);
  }

  // How far this page is from the model, whose own results came with it.
  function check() {
    const own = inPage(data.average);
    const expected = bytes(data.averageDrawn);
    let levels = 0;
    own.forEach((v, i) => (levels = Math.max(levels, Math.abs(Math.round(255 * v) - expected[i]))));
    const mean = encode(bytes(data.checked));
    let far = 0;
    mean.forEach((v, k) => (far = Math.max(far, Math.abs(v - data.checkedMean[k]) / (data.spread[k] || 1))));
    const text = `Checked as this page opened: its picture of the average differs from the model's own by at most ${levels} of 255 grey levels, its latents of one picture by at most ${far.toPrecision(1)} standard deviations.`;
    get("check").textContent = text;
    Object.assign(get("check").dataset, { levels, far });
  }

  get("average").addEventListener("click", () => reset(data.average, "The average of all pictures' latents"));
  get("random").addEventListener("click", () => {
    const i = Math.floor((Math.random() * samples.length) / size);
    reset(samples.subarray(i * size, (i + 1) * size), "A sample of the prior: no picture of yours");
  });
  function reset(latent, said) {
    get("original-figure").hidden = true;
    get("said").textContent = "";
    goTo(latent, said);
    showNeighbours(-1);
  }
  get("near").addEventListener("click", () => showNeighbours(-1));
  get("file").addEventListener("change", (event) => take(event.target.files[0]));
  const zone = get("drop");
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });

  function begin() {
    get("explore").hidden = false;
    get("starts-section").hidden = false;
    reset(data.average, "The average of all pictures' latents");
  }

  list(get("starts"), data.starts);
  if (data.decode) {
    begin();
    check();
  }
  window.vaeServed.find(data.model).then((found) => {
    served = found;
    if (data.decode) return;
    get("needs-server").hidden = served !== null;
    if (served) begin();
  });
})();
