// The same item wherever it is: marked while the pointer or the focus is on it, or for good once it is pressed.

export class Highlight {
  constructor() {
    this.places = new Map(); // item id → its elements
    this.pressed = null;
  }

  // An element that stands for an item, and the button in it.
  add(item, element, button) {
    this.places.set(item, [...(this.places.get(item) ?? []), element]);
    for (const event of ["pointerenter", "focusin"]) element.addEventListener(event, () => this.mark(item));
    for (const event of ["pointerleave", "focusout"]) element.addEventListener(event, () => this.mark(this.pressed));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.press(item === this.pressed ? null : item));
  }

  press(item) {
    this.pressed = item;
    for (const [own, elements] of this.places) {
      for (const element of elements) element.querySelector("button").setAttribute("aria-pressed", String(own === item));
    }
    this.mark(item);
  }

  mark(item) {
    for (const [own, elements] of this.places) {
      for (const element of elements) element.classList.toggle("same", own === item);
    }
  }
}
