// Readings that wait in this phone (IndexedDB) until the service has acknowledged each by its id: through reloads, flight mode, a
// closed browser, a dead battery. Sent in lots, again and again, later and later while nobody answers; what is sent twice is one
// reading, because its id was made here. Readings of another person wait until that person is signed in.

const LOT = 50;
const FIRST_WAIT = 2000; // ms
const LONGEST_WAIT = 60000; // ms

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function opened() {
  const request = indexedDB.open("sispat-contagem", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("leituras", { keyPath: "ordem", autoIncrement: true });
  return done(request);
}

export class Queue {
  // `person`: who is signed in; `token()`: the CSRF token, `renew()`: asks the page for a new one; `tell(event, row, answer)`.
  constructor({ person, token, renew, tell }) {
    Object.assign(this, { person, token, renew, tell, wait: FIRST_WAIT, sending: false });
    this.store = opened();
    addEventListener("online", () => this.send());
    document.addEventListener("visibilitychange", () => document.hidden || this.send());
  }

  async on(mode, what) {
    const transaction = (await this.store).transaction("leituras", mode, { durability: "strict" });
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
    const result = await done(what(transaction.objectStore("leituras")));
    await ended; // on the disk, and not before
    return result;
  }

  async add(api, reading, photo) {
    const row = { pessoa: this.person, api, leitura: reading, foto: photo ?? null };
    row.ordem = await this.on("readwrite", (store) => store.add(row));
    this.tell("guardada", row);
    this.send();
    return row;
  }

  async rows() {
    const all = await this.on("readonly", (store) => store.getAll());
    return { own: all.filter((row) => row.pessoa === this.person), others: all.filter((row) => row.pessoa !== this.person) };
  }

  remove(row) {
    return this.on("readwrite", (store) => store.delete(row.ordem));
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    let again = false;
    try {
      for (;;) {
        const { own } = await this.rows();
        const waiting = own.filter((row) => !row.recusa && !row.item);
        const photo = own.find((row) => row.item); // these last: no reading waits for a photo
        if (!waiting.length && !photo) break;
        const lot = waiting.filter((row) => row.api === waiting[0].api).slice(0, LOT);
        if (!(await (waiting.length ? this.post(lot) : this.photo(photo)))) {
          again = true;
          break;
        }
        this.wait = FIRST_WAIT;
      }
    } catch {
      again = true; // no network, or the service is away
    }
    this.sending = false;
    if (again) {
      this.timer = setTimeout(() => this.send(), this.wait * (0.75 + Math.random() / 2));
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    }
    this.tell("estado");
  }

  request(address, options) {
    const headers = { ...options.headers, "X-CSRF-Token": this.token(), Accept: "application/json" };
    return fetch(address, { method: "POST", ...options, headers });
  }

  async post(lot) {
    const options = { body: JSON.stringify({ leituras: lot.map((row) => row.leitura) }), headers: { "Content-Type": "application/json" } };
    let answer = await this.request(lot[0].api, options);
    if (answer.status === 403 && (await this.renew())) answer = await this.request(lot[0].api, options);
    if (answer.status === 401 || answer.status === 403) {
      this.tell("entrar");
      return false;
    }
    if (answer.status === 422 && lot.length > 1) return this.oneByOne(lot);
    if (answer.status === 404 || answer.status === 422) {
      await this.refuse(lot[0], (await answer.json()).detail);
      return true;
    }
    if (!answer.ok) return false;
    const { items } = await answer.json();
    const rows = new Map(lot.map((row) => [row.leitura.id, row]));
    for (const item of items) await this.acknowledged(rows.get(item.id), item);
    return true;
  }

  async oneByOne(lot) {
    for (const row of lot) if (!(await this.post([row]))) return false;
    return true;
  }

  async acknowledged(row, item) {
    if (item.motivo) return this.refuse(row, item.motivo);
    if (row.foto) {
      row.item = item.item_id;
      await this.on("readwrite", (store) => store.put(row));
    } else await this.remove(row);
    this.tell("recebida", row, item);
  }

  async photo(row) {
    const body = new FormData();
    body.set("arquivo", row.foto, "foto.jpg");
    const headers = { "Idempotency-Key": `foto ${row.leitura.id}` };
    const answer = await this.request(`/api/inventario-itens/${row.item}/fotos`, { body, headers });
    const refused = answer.status === 422 || answer.status === 404; // once, and so for ever; its reading is there
    if (answer.ok || refused) await this.remove(row);
    return answer.ok || refused;
  }

  async refuse(row, why) {
    row.recusa = why;
    await this.on("readwrite", (store) => store.put(row));
    this.tell("recusada", row, { motivo: why });
  }
}
