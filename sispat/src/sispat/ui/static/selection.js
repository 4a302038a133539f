// A box that ticks all boxes of a page's list, and how many are ticked, told beside it. Shift and a click tick all between two.
// Without this script each box is ticked by itself; what is ticked travels as the boxes themselves.

class Selection {
  constructor(bar) {
    this.texts = bar.dataset;
    this.boxes = [...bar.closest("form").querySelectorAll(`input[name="${bar.dataset.marcar}"]`)];
    this.all = bar.querySelector("input");
    this.status = bar.querySelector("[role=status]");
    this.all.addEventListener("change", () => this.tick(this.boxes, this.all.checked));
    this.boxes.forEach((box) => box.addEventListener("click", (event) => this.clicked(box, event.shiftKey)));
    bar.hidden = false;
    this.show();
    addEventListener("pageshow", () => this.show()); // gone back to, boxes are as they were left
  }

  tick(boxes, checked) {
    for (const box of boxes) box.checked = checked;
    this.show();
  }

  clicked(box, withShift) {
    const [from, to] = [this.boxes.indexOf(this.last), this.boxes.indexOf(box)].sort((one, other) => one - other);
    if (withShift && from >= 0) this.tick(this.boxes.slice(from, to + 1), box.checked);
    this.last = box;
    this.show();
  }

  show() {
    const number = this.boxes.filter((box) => box.checked).length;
    const { nenhum, um, varios } = this.texts;
    this.status.textContent = !number ? nenhum : number === 1 ? um : varios.replace("{n}", number);
    this.all.checked = number > 0 && number === this.boxes.length;
    this.all.indeterminate = number > 0 && number < this.boxes.length;
  }
}

for (const bar of document.querySelectorAll("[data-marcar]")) new Selection(bar);
