// A service worker that shows notifications. Have one of your own, at the root of your
// site, say
//
//	importScripts('/mochi/pushworker.js');

addEventListener('push', (event) => {
  let message = {};
  try {
    message = event.data?.json() ?? {};
  } catch {
    // Browsers want a notification for each push, whatever is in it.
  }
  const { title = 'News', url, data, ...rest } = message;
  event.waitUntil(registration.showNotification(title, { ...rest, data: { url, data } }));
});

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data?.url ?? '/'));
});

/** Shows the page where it is open already, else opens it. Other sites are not opened. */
async function show(url) {
  const target = new URL(url, location.origin);
  if (target.origin !== location.origin) return;
  const pages = await clients.matchAll({ type: 'window' });
  const page = pages.find((each) => each.url === target.href);
  await (page ? page.focus() : clients.openWindow(target.href));
}
