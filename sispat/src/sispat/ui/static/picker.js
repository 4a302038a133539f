// Fields of many choices: a combobox with a list that is filtered by the server, after the ARIA authoring practices
// ("editable combobox with list autocomplete, manual selection"). Without this script the select and its search button do.

const WAIT = 180; // ms without a key before the server is asked

class Picker {
  constructor(box) {
    this.texts = box.dataset;
    this.select = document.getElementById(box.dataset.escolha);
    this.input = box.querySelector("input");
    this.button = box.querySelector("button");
    this.name = this.input.name; // sent only while what is typed is no choice: the server then searches for it
    this.active = -1;
    this.build(box);
    this.listen();
    this.showChosen();
    if (box.dataset.digitado && !this.select.value) {
      this.input.value = box.dataset.digitado;
      this.input.name = this.name;
      this.find();
    }
  }

  build(box) {
    const id = this.select.id;
    this.list = Object.assign(document.createElement("ul"), { id: `lista-${id}`, className: "lista", hidden: true });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", document.querySelector(`label[for="${id}"]`).firstChild.textContent.trim());
    this.status = Object.assign(document.createElement("p"), { className: "oculto" });
    this.status.setAttribute("role", "status");
    box.append(this.list, this.status);
    for (const name of ["aria-required", "aria-describedby", "aria-invalid"])
      if (this.select.hasAttribute(name)) this.input.setAttribute(name, this.select.getAttribute(name));
    box.querySelector("label").remove();
    this.select.id = `valor-${id}`; // so that the label and the summary of errors lead to what is seen
    this.input.id = id;
    const combobox = { role: "combobox", "aria-autocomplete": "list", "aria-controls": this.list.id, "aria-expanded": false };
    for (const [name, value] of Object.entries(combobox)) this.input.setAttribute(name, value);
    const hint = document.getElementById(`achados-${this.name.slice(0, this.name.lastIndexOf("."))}`);
    if (hint && !hint.hasAttribute("role")) hint.textContent = this.texts.dica; // it speaks of the button
    if (this.select.autofocus) this.input.focus();
    this.select.hidden = this.button.hidden = true;
  }

  listen() {
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("click", () => this.list.hidden && this.find());
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
    this.list.addEventListener("click", ({ target }) => this.choose([...this.list.children].indexOf(target.closest("li"))));
    this.select.addEventListener("change", () => this.showChosen()); // set by another script, such as a draft's
  }

  showChosen() {
    this.input.value = this.select.value ? this.select.selectedOptions[0].textContent.trim() : "";
    this.input.removeAttribute("name");
  }

  typed() {
    this.select.value = "";
    this.input.name = this.name;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(), WAIT);
  }

  async find() {
    this.asked?.abort();
    this.asked = new AbortController();
    const url = new URL(this.texts.procura, location.href);
    url.searchParams.set("q", this.input.name ? this.input.value.trim() : ""); // a choice that was made is no search
    try {
      const answer = await fetch(url, { signal: this.asked.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      this.show(await answer.json());
    } catch (error) {
      if (error.name === "AbortError") return;
      this.close();
      this.button.hidden = false; // what works without this script still works
      Object.assign(this.status, { textContent: this.texts.falha, className: "" });
    }
  }

  show({ items, more }) {
    this.found = items;
    this.list.replaceChildren(...items.map((item, position) => this.option(item, position)));
    const { nada, um, varias } = this.texts;
    const number = more ? `${items.length}+` : items.length;
    this.status.textContent = !items.length ? nada : items.length === 1 ? um : varias.replace("{n}", number);
    this.status.classList.toggle("oculto", items.length > 0);
    this.open(items.length > 0 && document.activeElement === this.input);
  }

  open(really) {
    this.list.hidden = !really;
    this.input.setAttribute("aria-expanded", really);
    this.move(-1);
  }

  option({ label, group }, position) {
    const option = Object.assign(document.createElement("li"), { id: `${this.list.id}-${position}`, textContent: label });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    if (group) option.append(Object.assign(document.createElement("small"), { textContent: group }));
    return option;
  }

  move(to) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = to;
    const option = this.list.children[to];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.isComposing) return;
    const [open, last] = [!this.list.hidden, this.list.children.length - 1];
    if (!open && ["ArrowDown", "ArrowUp"].includes(event.key)) this.find();
    else if (event.key === "ArrowDown") this.move(this.active < last ? this.active + 1 : 0);
    else if (event.key === "ArrowUp") this.move(this.active > 0 ? this.active - 1 : last);
    else if (event.key === "Enter" && open && this.active >= 0) this.choose(this.active);
    else if (event.key === "Escape" && open) this.close();
    else return;
    event.preventDefault();
  }

  choose(position) {
    if (position < 0) return;
    const { value, label } = this.found[position];
    if (![...this.select.options].some((option) => option.value === value)) this.select.add(new Option(label, value));
    this.select.value = value;
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
    this.close();
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.open(false);
  }
}

for (const box of document.querySelectorAll("[data-procura]")) new Picker(box);
