// Calls of the page: what it asks, with the key.

export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Calls {
  #key;

  constructor(key) {
    this.#key = key;
  }

  async ask(name, query = {}) {
    const answer = await fetch(new URL(`api/${name}`, import.meta.url), {
      method: 'POST',
      credentials: 'omit',
      headers: { Authorization: `Bearer ${this.#key}` },
      body: JSON.stringify(query),
    });
    let said;
    try {
      said = await answer.json();
    } catch {
      throw new Refusal('network', `${answer.status} ${answer.statusText}`);
    }
    if (!answer.ok) throw new Refusal(said.error?.code ?? 'network', said.error?.message ?? answer.statusText);
    return said;
  }
}
