// XMPP over WebSocket: RFC 7395.

import { Channel, StreamEnd, streamEnd } from './channel.mjs';
import { FRAMING, STREAMS } from './namespaces.mjs';
import { parse, tag } from './xml.mjs';

const FAREWELL = 3_000;

/**
 * One connection with its one stream. `on.frame({direction, xml, at})` tells of every message, `on.stanza` of those
 * that are not framing, `on.end` of the end.
 */
export class WebSocketSession {
  over = false;
  agreed;
  #url;
  #env;
  #on;
  #socket;
  #channel;
  #farewell;
  #closing = false;

  constructor({ url, env, on }) {
    this.#url = url;
    this.#env = env;
    this.#on = on;
  }

  connect(target) {
    const channel = (this.#channel = new Channel(this, target));
    const socket = (this.#socket = new this.#env.WebSocket(this.#url, 'xmpp'));
    socket.onopen = () => {
      // RFC 7395 §3.1: a server that speaks it says so.
      if (socket.protocol !== 'xmpp') this.#fail('not-acceptable', 'the server does not speak XMPP');
      else this.restart();
    };
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => {
      const why = reason || (code === 1006 ? 'the connection broke or was refused' : `closed with ${code}`);
      this.#finish(this.#closing ? new StreamEnd('closed') : new StreamEnd('network', why));
    };
    return channel;
  }

  send(channel, xml) {
    this.#write(xml);
    this.#on.stanza?.({ direction: 'out', channel, xml, at: this.#env.now() });
  }

  restart() {
    const { to, lang } = this.#channel;
    this.#write(tag('open', { xmlns: FRAMING, to, version: '1.0', 'xml:lang': lang }));
  }

  close() {
    this.end();
  }

  /** RFC 7395 §3.6: <close/>, then the server's, then the socket. */
  end() {
    if (this.over || this.#closing) return;
    this.#closing = true;
    this.#farewell = this.#env.setTimeout(() => this.#socket.close(), FAREWELL);
    if (this.#socket.readyState === 1) this.#write(tag('close', { xmlns: FRAMING }));
    else this.#socket.close();
  }

  leave() {
    this.end();
  }

  #write(xml) {
    if (this.#socket.readyState !== 1) return;
    this.#socket.send(xml);
    this.#on.frame?.({ direction: 'out', xml, at: this.#env.now() });
  }

  #take(data) {
    if (this.over) return;
    const at = this.#env.now();
    this.#on.frame?.({ direction: 'in', xml: String(data), at });
    let element;
    try {
      element = parse(String(data));
    } catch (error) {
      this.#fail('not-well-formed', error.message);
      return;
    }
    if (element.is('open', FRAMING)) {
      this.agreed ??= { from: element.attr('from') ?? '', ver: element.attr('version') ?? '' };
      this.#on.created?.(this.agreed);
    } else if (element.is('close', FRAMING)) {
      const elsewhere = element.attr('see-other-uri');
      if (!this.#closing) this.#write(tag('close', { xmlns: FRAMING }));
      this.#finish(elsewhere ? new StreamEnd('see-other-uri', elsewhere) : new StreamEnd('closed'));
    } else {
      this.#on.stanza?.({ direction: 'in', channel: this.#channel, xml: element.raw, element, at });
      if (element.is('error', STREAMS)) this.#finish(streamEnd(element));
      else this.#channel.deliver(element);
    }
  }

  #fail(condition, text) {
    this.#finish(new StreamEnd(condition, text));
  }

  #finish(reason) {
    if (this.over) return;
    this.over = true;
    this.#env.clearTimeout(this.#farewell);
    this.#socket.close();
    this.#channel.end(reason);
    this.#on.end?.(reason);
  }
}
