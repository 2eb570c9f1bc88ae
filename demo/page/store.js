/** What the page remembers. Storage may be switched off or full, and what is in it may be of another age. */
export class Store {
  #area;

  /** @param {() => Storage} area reading the property alone throws where a page may not store anything */
  constructor(area) {
    try {
      this.#area = area();
    } catch {
      this.#area = undefined;
    }
  }

  get(key) {
    try {
      return JSON.parse(this.#area?.getItem(`mochi.${key}`)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  set(key, value) {
    try {
      this.#area?.setItem(`mochi.${key}`, JSON.stringify(value));
    } catch {
      // The chat goes on; only the next visit begins anew.
    }
  }
}

/** For this tab, over reloads. */
export const tab = new Store(() => sessionStorage);
/** For this browser, as long as it likes. */
export const browser = new Store(() => localStorage);
