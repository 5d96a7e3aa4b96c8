// Nothing moves by itself: each animation is a still picture until somebody plays it.
(function () {
  "use strict";
  for (const figure of document.querySelectorAll(".moving")) {
    const image = figure.querySelector("img");
    const button = figure.querySelector("button");
    button.addEventListener("click", function () {
      const playing = button.getAttribute("aria-pressed") !== "true";
      image.src = playing ? image.dataset.moving : image.dataset.still;
      button.setAttribute("aria-pressed", String(playing));
      button.textContent = playing ? "Stop" : "Play";
    });
    button.hidden = false;
  }
})();
