// One map on one canvas: where each mark lies, drawing them, and which one is nearest to a point.
(function () {
  "use strict";
  const { total, splits, order, state, Raster, column, codesOf, visibleMask, standsOut, theme, stamps, hasLetters } = window.vaeMap;
  const FAINT = 0.18;

  class View {
    // `whole`: the large map, whose marks may be larger and which may be zoomed.
    constructor(canvas, { whole = false } = {}) {
      Object.assign(this, { canvas, whole, scale: 1, x: 0, y: 0, stale: true, pending: false });
      this.context = canvas.getContext("2d");
      this.marks = document.createElement("canvas");
      this.decorate = () => {}; // what lies over the marks, such as a lasso
      this.under = () => {}; // what is drawn together with the marks, such as pictures
      this.drawn = () => {};
      new ResizeObserver(() => this.redraw()).observe(canvas);
    }

    // `places`: where in xy a picture's coordinates lie, −1 where it has none; null where all have.
    show(xy, places = null) {
      Object.assign(this, { xy, places, order: places ? order.filter((i) => places[i] >= 0) : order });
      this.redraw();
    }

    place(i) {
      return this.places ? this.places[i] : i;
    }

    has(i) {
      return i >= 0 && this.place(i) >= 0 && visibleMask()[i] === 1;
    }

    layOut() {
      const { xy, canvas } = this;
      const low = [Infinity, Infinity];
      const high = [-Infinity, -Infinity];
      for (let i = 0; i < xy.length; i++) {
        if (xy[i] < low[i & 1]) low[i & 1] = xy[i];
        if (xy[i] > high[i & 1]) high[i & 1] = xy[i];
      }
      this.width = canvas.clientWidth;
      this.height = canvas.clientHeight;
      const edge = this.whole ? 28 : 10;
      const fit = Math.min((this.width - 2 * edge) / (high[0] - low[0] || 1), (this.height - 2 * edge) / (high[1] - low[1] || 1));
      Object.assign(this, { fit, midX: (low[0] + high[0]) / 2, midY: (low[1] + high[1]) / 2 });
    }

    placeX(i) {
      return this.width / 2 + (this.xy[2 * this.place(i)] - this.midX) * this.fit * this.scale + this.x;
    }

    placeY(i) {
      return this.height / 2 - (this.xy[2 * this.place(i) + 1] - this.midY) * this.fit * this.scale + this.y;
    }

    radius() {
      const amount = this.order.length;
      const lettered = this.whole && hasLetters(column()) ? 1.2 : 1;
      const base = amount <= 500 ? 6 : amount <= 3000 ? 4.5 : amount <= 20000 ? 3 : 2;
      return this.whole ? Math.min(9, base * lettered * Math.sqrt(this.scale)) : Math.max(1.2, base / 2);
    }

    // The marks go to a layer of their own: a ring around one of them must not cost a drawing of all.
    drawMarks(ratio) {
      this.layOut();
      this.marks.width = Math.round(this.width * ratio);
      this.marks.height = Math.round(this.height * ratio);
      const look = theme();
      const raster = new Raster(this.marks.width, this.marks.height, look.raised);
      const out = standsOut();
      if (out) this.stampAll(raster, ratio, look, FAINT, (i) => !out(i));
      this.stampAll(raster, ratio, look, 1, out);
      const pen = this.marks.getContext("2d");
      if (this.marks.width && this.marks.height) pen.putImageData(raster.image, 0, 0);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.under(pen, look);
      this.drawn();
    }

    stampAll(raster, ratio, look, strength, wanted) {
      const stamp = stamps(look, this.radius(), ratio);
      const codes = codesOf(column());
      const visible = visibleMask();
      const { xy, places } = this;
      const grow = this.fit * this.scale * ratio;
      const half = Math.ceil((2 * this.radius() + 4) * ratio) / 2;
      const left = (this.width / 2 + this.x) * ratio - this.midX * grow - half;
      const top = (this.height / 2 + this.y) * ratio + this.midY * grow - half;
      for (const i of this.order) {
        if (!visible[i] || (wanted && !wanted(i))) continue;
        const k = places ? places[i] : i;
        const x = Math.round(left + xy[2 * k] * grow);
        const y = Math.round(top - xy[2 * k + 1] * grow);
        if (x < -2 * half || y < -2 * half || x > raster.image.width || y > raster.image.height) continue;
        raster.lay(stamp(codes[i], splits[i]), x, y, strength);
      }
    }

    draw() {
      const ratio = window.devicePixelRatio || 1;
      const { canvas, context, marks } = this;
      this.pending = false;
      if (!canvas.clientWidth || !this.xy) return; // hidden: it draws when it is shown, as its size changes
      if (this.stale) this.drawMarks(ratio);
      this.stale = false;
      if (canvas.width !== marks.width || canvas.height !== marks.height) Object.assign(canvas, { width: marks.width, height: marks.height });
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.drawImage(marks, 0, 0);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const look = theme();
      this.joinNeighbours(look);
      for (const [i, width] of [[state.chosen, 3], [state.current, 2]]) if (this.has(i)) this.ring(i, look.text, width, 5);
      this.decorate(context, look);
    }

    // Neighbours in the latent space, which the map may have torn apart.
    joinNeighbours(look) {
      if (!this.has(state.chosen)) return;
      const x = this.placeX(state.chosen);
      const y = this.placeY(state.chosen);
      for (const i of window.vaeMap.neighboursOf(state.chosen)) {
        if (!this.has(i)) continue;
        this.context.beginPath();
        this.context.moveTo(x, y);
        this.context.lineTo(this.placeX(i), this.placeY(i));
        this.context.lineWidth = 1;
        this.context.strokeStyle = look.text;
        this.context.stroke();
        this.ring(i, look.text, 1, 2);
      }
    }

    ring(i, color, width, gap) {
      const pen = this.context;
      pen.beginPath();
      pen.arc(this.placeX(i), this.placeY(i), this.radius() + (this.whole ? gap : gap / 2), 0, 2 * Math.PI);
      pen.lineWidth = width;
      pen.strokeStyle = color;
      pen.stroke();
    }

    refresh() {
      if (!this.pending) requestAnimationFrame(() => this.draw());
      this.pending = true;
    }

    redraw() {
      this.stale = true;
      this.refresh();
    }

    nearest(x, y, reach) {
      const visible = visibleMask();
      const { xy, places } = this;
      const grow = this.fit * this.scale;
      const offX = this.width / 2 + this.x - this.midX * grow - x;
      const offY = this.height / 2 + this.y + this.midY * grow - y;
      let best = -1;
      let least = reach * reach;
      for (let i = 0; i < total; i++) {
        const k = places ? places[i] : i;
        if (!visible[i] || k < 0) continue;
        const dx = xy[2 * k] * grow + offX;
        const dy = offY - xy[2 * k + 1] * grow;
        const distance = dx * dx + dy * dy;
        if (distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    // All visible pictures for whose place `test` holds.
    within(test) {
      return Array.from(this.order).filter((i) => this.has(i) && test(this.placeX(i), this.placeY(i)));
    }
  }

  window.vaeMap.View = View;
})();
