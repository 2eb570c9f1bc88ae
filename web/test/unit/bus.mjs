/** A model of docs/bus.md. A peer is anything with `id` and `tell(value)`. */
export class Bus {
  topics = new Map();
  #epochs = 0;

  topic(name) {
    if (!this.topics.has(name)) {
      this.topics.set(name, { epoch: `e${++this.#epochs}`, base: 0, messages: [], ids: new Map(), peers: new Map() });
    }
    return this.topics.get(name);
  }

  /** The history is lost: another epoch begins. Nobody stays subscribed. */
  forget() {
    this.topics.clear();
  }

  publish(name, data, id) {
    const topic = this.topic(name);
    if (id !== undefined && topic.ids.has(id)) return { offset: topic.ids.get(id), duplicate: true };
    topic.messages.push(data);
    const offset = topic.base + topic.messages.length;
    if (id !== undefined) topic.ids.set(id, offset);
    for (const peer of topic.peers.keys()) peer.tell({ type: 'message', topic: name, offset, data });
    return { offset };
  }

  /** Old messages go, as in a history that is limited. */
  trim(name, count) {
    const topic = this.topic(name);
    topic.messages.splice(0, count);
    topic.base += count;
  }

  data(name) {
    return this.topic(name).messages;
  }

  take(peer, value) {
    const { op, ref, topic: name } = value ?? {};
    if (typeof name !== 'string') return peer.tell({ type: 'error', ref, code: 'bad-request', message: 'no topic' });
    if (name.startsWith('secret')) return peer.tell({ type: 'error', ref, code: 'forbidden', message: 'not for you' });
    if (op === 'publish') peer.tell({ type: 'published', ref, topic: name, ...this.publish(name, value.data, value.id) });
    else if (op === 'subscribe') this.#subscribe(peer, name, value);
    else if (op === 'unsubscribe') {
      this.#leave(peer, name);
      peer.tell({ type: 'unsubscribed', ref, topic: name });
    } else if (op === 'presence') peer.tell({ type: 'presence', ref, topic: name, members: this.#members(this.topic(name)) });
  }

  gone(peer) {
    for (const name of this.topics.keys()) this.#leave(peer, name);
  }

  #subscribe(peer, name, { ref, since, history = 0, presence }) {
    const topic = this.topic(name);
    const end = topic.base + topic.messages.length;
    const same = since?.epoch === topic.epoch;
    const recovered = same && since.offset >= topic.base && since.offset <= end;
    const wanted = since ? (same ? since.offset : topic.base) : end - history;
    const offset = Math.min(Math.max(wanted, topic.base), end);
    const news = presence !== undefined && !topic.peers.has(peer);
    topic.peers.set(peer, presence);
    const members = presence === undefined ? undefined : this.#members(topic);
    peer.tell({ type: 'subscribed', ref, topic: name, epoch: topic.epoch, offset, recovered, members });
    topic.messages.slice(offset - topic.base).forEach((data, i) => {
      peer.tell({ type: 'message', topic: name, offset: offset + i + 1, data });
    });
    if (news) this.#announce(topic, peer, { type: 'join', topic: name, member: peer.id, info: presence });
  }

  #leave(peer, name) {
    const topic = this.topics.get(name);
    const info = topic?.peers.get(peer);
    if (!topic?.peers.delete(peer) || info === undefined) return;
    this.#announce(topic, peer, { type: 'leave', topic: name, member: peer.id, info });
  }

  #announce(topic, about, value) {
    for (const [peer, info] of topic.peers) if (peer !== about && info !== undefined) peer.tell(value);
  }

  #members(topic) {
    const there = [...topic.peers].filter(([, info]) => info !== undefined);
    return there.map(([peer, info]) => ({ member: peer.id, info }));
  }
}
