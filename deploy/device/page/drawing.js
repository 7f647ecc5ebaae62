// A canvas with strokes that can be undone.
const PEN_PX = 20; // of 320, about the stroke of MNIST's digits; as in the dashboard

export class Drawing {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.onHistory = () => {};
    this.context = canvas.getContext("2d");
    this.states = [[]]; // lists of strokes
    this.place = 0;
    this.stroke = null;
    this.paint();
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
    addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      if (event.shiftKey) this.redo();
      else this.undo();
    });
  }

  get strokes() {
    return this.states[this.place];
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  get canUndo() {
    return this.place > 0;
  }

  get canRedo() {
    return this.place + 1 < this.states.length;
  }

  begin(event) {
    if (event.button > 0 || this.stroke) return; // a second finger draws nothing
    this.canvas.setPointerCapture(event.pointerId);
    this.paint();
    this.stroke = [this.point(event)];
    this.line(this.stroke);
  }

  go(event) {
    if (!this.stroke) return;
    this.stroke.push(...(event.getCoalescedEvents?.() ?? [event]).map((each) => this.point(each)));
    this.line(this.stroke);
  }

  end() {
    if (!this.stroke) return;
    const strokes = [...this.strokes, this.stroke];
    this.stroke = null;
    this.to(strokes);
  }

  point({ clientX, clientY }) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / width;
    return [(clientX - left) * scale, (clientY - top) * scale];
  }

  // Make a state the latest one
  to(strokes) {
    this.states.splice(this.place + 1, Infinity, strokes);
    this.place += 1;
    this.changed();
  }

  undo() {
    if (!this.canUndo) return;
    this.place -= 1;
    this.changed();
  }

  redo() {
    if (!this.canRedo) return;
    this.place += 1;
    this.changed();
  }

  clear() {
    if (!this.isEmpty) this.to([]);
  }

  changed() {
    this.paint();
    this.onHistory();
    this.onChange();
  }

  paint() {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    for (const stroke of this.strokes) this.line(stroke);
  }

  // Show a picture in the place of a drawing, until the next stroke
  showPicture(picture) {
    this.paint();
    const { width, height } = this.canvas;
    const scale = Math.min(width / picture.width, height / picture.height);
    const [shownWidth, shownHeight] = [picture.width * scale, picture.height * scale];
    this.context.drawImage(picture, (width - shownWidth) / 2, (height - shownHeight) / 2, shownWidth, shownHeight);
  }

  line(points) {
    Object.assign(this.context, { lineWidth: PEN_PX, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
    this.context.beginPath();
    this.context.moveTo(...points[0]);
    for (const point of points.length > 1 ? points.slice(1) : points) this.context.lineTo(...point);
    this.context.stroke();
  }
}
