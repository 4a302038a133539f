// What is typed into a form and not saved yet stays in this browser (localStorage, sent nowhere): pages are not kept by its
// cache (no-store), so that going back or a crash would lose it. One draft per person, form and opened page; offered when
// the form is opened again, taken back by itself after going back, forgotten when saved, on signing out, and after a week.

const PREFIX = "sispat.rascunho";
const SENT = "sispat.enviado";
const WEEK = 7 * 24 * 3600 * 1000; // ms
const WAIT = 300; // ms without typing before it is written

let signedOut = false;

const drafts = () => Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX} `));

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // written by something else: as good as none
  }
}

function forget(matches) {
  for (const key of drafts()) if (matches(key)) localStorage.removeItem(key);
}

const typed = (form) =>
  [...form.elements].filter((field) => field.name && !field.name.startsWith("_") && field.type !== "password"
    && field.type !== "file" && field.type !== "submit" && field.localName !== "fieldset");

function valuesOf(form) {
  const values = {};
  for (const field of typed(form)) {
    if (field.type === "radio" || field.type === "checkbox") {
      if (field.checked) (values[field.name] ??= []).push([field.value]);
    } else values[field.name] = [[field.value, field.localName === "select" ? field.selectedOptions[0]?.textContent.trim() : undefined]];
  }
  return values;
}

function fill(form, values) {
  for (const field of typed(form)) {
    const pairs = values[field.name] ?? [];
    if (field.type === "radio" || field.type === "checkbox") field.checked = pairs.some(([value]) => value === field.value);
    else if (pairs.length) {
      const [value, label] = pairs[0];
      const unknown = field.localName === "select" && ![...field.options].some((option) => option.value === value);
      if (unknown) field.add(new Option(label ?? value, value)); // found by typing, the last time
      field.value = value; // "versao" too: what somebody else saved meanwhile is then noticed, not overwritten
    }
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

class Draft {
  constructor(form) {
    this.form = form;
    this.of = `${PREFIX} ${form.dataset.rascunho} ${form.getAttribute("action")} `;
    this.key = this.of + form.elements._chave.value; // the same while the server shows the form again because of errors
    this.first = valuesOf(form);
    form.addEventListener("input", () => this.later());
    form.addEventListener("change", () => this.later());
    form.addEventListener("submit", () => {
      this.write();
      sessionStorage.setItem(SENT, this.key);
    });
    addEventListener("pagehide", () => this.write());
    document.addEventListener("visibilitychange", () => document.hidden && this.write());
    this.offer();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), WAIT);
  }

  write() {
    clearTimeout(this.timer);
    const values = valuesOf(this.form);
    if (signedOut || same(values, this.first)) return;
    localStorage.setItem(this.key, JSON.stringify({ at: Date.now(), values }));
  }

  offer() {
    const others = drafts().filter((key) => key.startsWith(this.of) && key !== this.key);
    const key = others.sort((one, other) => read(other).at - read(one).at)[0];
    const draft = key && read(key);
    if (!draft || same(draft.values, this.first)) return;
    const box = document.getElementById("rascunho");
    const [takeBack, discard] = box.querySelectorAll("button");
    box.querySelector("time").textContent = new Date(draft.at).toLocaleString(document.documentElement.lang,
      { dateStyle: "short", timeStyle: "short" });
    const restore = () => {
      fill(this.form, draft.values);
      this.write();
      localStorage.removeItem(key);
      takeBack.hidden = true;
    };
    takeBack.addEventListener("click", () => {
      restore();
      discard.hidden = true;
      box.querySelector("[data-recuperado]").hidden = false;
      typed(this.form).find((field) => field.type !== "hidden" && !field.hidden)?.focus();
    });
    discard.addEventListener("click", () => {
      localStorage.removeItem(key);
      fill(this.form, this.first);
      localStorage.removeItem(this.key);
      box.hidden = true;
    });
    if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") restore();
    box.hidden = false;
  }
}

try {
  const sent = sessionStorage.getItem(SENT);
  if (sent && document.querySelector("[data-gravado]")) localStorage.removeItem(sent);
  sessionStorage.removeItem(SENT);
  forget((key) => !(read(key)?.at > Date.now() - WEEK));
  document.querySelector('form[action="/sair"]')?.addEventListener("submit", (event) => {
    signedOut = true; // and nothing is written while the page goes away
    forget((key) => key.startsWith(`${PREFIX} ${event.target.dataset.pessoa} `));
  });
  for (const form of document.querySelectorAll("form[data-rascunho]")) new Draft(form);
} catch (error) {
  console.warn("rascunhos indisponíveis neste navegador", error); // storage may be forbidden: forms work without it
}
