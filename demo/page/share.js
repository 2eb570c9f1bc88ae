import { toast } from './toast.js';

/** Copies the address of the room, or shows it where copying is not allowed. */
export async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    toast('The address is copied. Send it to somebody you like.');
  } catch {
    prompt('The address of this room', location.href);
  }
}
