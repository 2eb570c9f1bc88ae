/**
 * The parts of a JID (RFC 7622 §3.1). Only what tells them apart is checked: the rest is for the server.
 *
 * @param {string} text
 * @returns {{local: string, domain: string, resource: string, bare: string} | undefined}
 */
export function parseJID(text) {
  const [, local = '', domain, resource = ''] = /^(?:([^@/]+)@)?([^@/]+)(?:\/(.+))?$/su.exec(text.trim()) ?? [];
  if (!domain || /[\s<>"'&]/u.test(local + domain)) return undefined;
  return { local, domain: domain.toLowerCase(), resource, bare: (local && `${local}@`) + domain.toLowerCase() };
}
