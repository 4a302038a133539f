// Forms that take files (data-envio): shows how much of them has gone, says at once what is too large, and keeps what was typed
// and chosen when the service refuses a file or the connection breaks: the same form can then be sent again, and counts once.
// Without it the browser sends the form as any other.

const MB = 1024 * 1024;

class Sending {
  constructor(form) {
    this.form = form;
    form.addEventListener("submit", (event) => {
      const helps = event.submitter?.name === "_acao"; // a button that only helps to fill in
      if (helps || !this.files().length) return;
      event.preventDefault();
      const large = this.files().find((file) => file.size > Number(form.dataset.limite));
      if (large) this.say(this.text("grande", { name: large.name, limit: Math.floor(form.dataset.limite / MB) }));
      else if (!this.request) this.send(event.submitter);
    });
  }

  files() {
    return [...this.form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
  }

  text(name, values = {}) {
    return Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), this.form.dataset[name]);
  }

  send(submitter) {
    const body = new FormData(this.form, submitter);
    const request = (this.request = new XMLHttpRequest()); // fetch() does not tell how much has been sent
    this.show();
    request.upload.addEventListener("progress", (event) => event.lengthComputable && this.tell(event.loaded / event.total));
    request.upload.addEventListener("load", () => this.tell(null));
    request.addEventListener("load", () => this.end(() => this.answered(request)));
    for (const kind of ["error", "timeout"]) request.addEventListener(kind, () => this.end(() => this.say(this.text("caiu"))));
    request.addEventListener("abort", () => this.end(() => this.say(this.text("cancelado"))));
    request.open("POST", this.form.action);
    request.responseType = "document";
    request.send(body);
  }

  show() {
    this.box = document.createElement("div");
    this.box.className = "cartao progresso";
    this.box.innerHTML = '<p role="status"></p><progress max="1"></progress><p class="acoes"><button type="button" class="botao"></button></p>';
    const button = this.box.querySelector("button");
    button.textContent = this.text("parar");
    button.addEventListener("click", () => this.request.abort());
    this.box.querySelector("progress").setAttribute("aria-label", this.text("enviando"));
    this.form.after(this.box);
    this.form.inert = true;
    this.tell(0);
    this.box.scrollIntoView({ block: "nearest" });
  }

  tell(part) {
    const bar = this.box.querySelector("progress");
    const status = this.box.querySelector("p");
    if (part === null) {
      bar.removeAttribute("value"); // it has arrived, and is being looked into
      status.textContent = this.text("examinando");
    } else {
      bar.value = part;
      const text = `${this.text("enviando")} ${Math.floor(part * 10) * 10} %`; // read out at each tenth
      if (status.textContent !== text) status.textContent = text;
    }
  }

  end(then) {
    this.request = null;
    this.box.remove();
    this.form.inert = false;
    then();
  }

  answered(request) {
    const page = request.response;
    const here = new URL(this.form.action).pathname;
    const again = page?.querySelector(`form[action="${here}"][data-envio]`);
    if (request.responseURL && new URL(request.responseURL).pathname !== here) location.assign(request.responseURL);
    else if (again) this.refused(page, again);
    else if (page) document.body.replaceWith(document.adoptNode(page.body)); // such as signing in again, with what was typed
    else this.say(this.text("caiu"));
  }

  refused(page, again) {
    this.form.elements._chave.value = again.elements._chave.value;
    const told = [...page.querySelectorAll("main .aviso[role=alert]")];
    this.clear();
    for (const each of told) this.form.before(Object.assign(document.adoptNode(each), { tabIndex: -1 }));
    document.querySelector("main .aviso[role=alert]")?.focus();
  }

  say(text) {
    this.clear();
    const box = Object.assign(document.createElement("div"), { className: "aviso atencao", role: "alert", tabIndex: -1 });
    box.append(Object.assign(document.createElement("p"), { textContent: text }));
    this.form.before(box);
    box.focus();
  }

  clear() {
    for (const old of document.querySelectorAll("main .aviso[role=alert]")) old.remove();
  }
}

for (const form of document.querySelectorAll("form[data-envio]")) new Sending(form);
