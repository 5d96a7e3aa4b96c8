// Scrubs through the frames of strips; `data-steps` says what each frame is, where that is no share of a way.
(function () {
  "use strict";
  for (const box of document.querySelectorAll(".scrub")) {
    const slider = box.querySelector("input");
    const output = box.querySelector("output");
    const last = Number(slider.max);
    const steps = box.dataset.steps ? box.dataset.steps.split("|") : null;
    const strips = box.parentElement.querySelectorAll(".strip img");
    const screens = Array.from(box.querySelectorAll("canvas"), function (canvas, i) {
      strips[i].addEventListener("load", show);
      return { canvas, image: strips[i], context: canvas.getContext("2d") };
    });
    function show() {
      const frame = Number(slider.value);
      for (const { canvas, image, context } of screens) {
        if (!image.complete || !image.naturalWidth) continue;
        const { width, height } = canvas;
        context.drawImage(image, frame * width, 0, width, height, 0, 0, width, height);
        canvas.dataset.frame = frame;
      }
      const percent = Math.round((100 * frame) / Math.max(last, 1));
      output.textContent = steps
        ? `${slider.getAttribute("aria-label")}: ${steps[frame]}`
        : `Frame ${frame + 1} of ${last + 1}: ${percent} % of the way from A to B`;
      slider.setAttribute("aria-valuetext", output.textContent);
    }
    slider.addEventListener("input", show);
    box.hidden = false;
    show();
  }
})();
