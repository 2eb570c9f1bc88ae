const RELATIONS = { 'urn:xmpp:alt-connections:xbosh': 'bosh', 'urn:xmpp:alt-connections:websocket': 'websocket' };

/**
 * Where the server that the page came from has its two ways in: what its host-meta says (XEP-0156), else the usual
 * places.
 *
 * @returns {Promise<{bosh: string, websocket: string}>}
 */
export async function addresses({ fetch }, base) {
  const found = { bosh: new URL('/http-bind', base).href, websocket: new URL('/xmpp-websocket', base).href.replace(/^http/, 'ws') };
  try {
    const answer = await fetch('/.well-known/host-meta.json');
    const { links = [] } = answer.ok ? await answer.json() : {};
    for (const { rel, href } of links) if (Object.hasOwn(RELATIONS, rel) && href) found[RELATIONS[rel]] = href;
  } catch {
    // Nobody has to have it.
  }
  return found;
}
