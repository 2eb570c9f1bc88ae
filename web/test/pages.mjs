// Pages with XMPP clients of others.

/**
 * An echo bot like that of Strophe's examples, with the Strophe of today: a JID, a password, a button that connects and
 * disconnects, a log, and every chat message goes back to its sender.
 */
export const echobot = (service) => `<!doctype html>
<title>echo bot</title>
<script src="/modules/strophe.js/dist/strophe.umd.min.js"></script>
<form><input id="jid" aria-label="JID"> <input id="pass" type="password" aria-label="Password"> <button>connect</button></form>
<ol id="log"></ol>
<script>
  const connection = new Strophe.Connection('${service}');
  const button = document.querySelector('button');
  const log = (text) => document.getElementById('log').append(Object.assign(document.createElement('li'), { textContent: text }));
  const names = Object.fromEntries(Object.entries(Strophe.Status).map(([name, code]) => [code, name.toLowerCase()]));

  function echo(message) {
    const body = message.querySelector('body');
    if (message.getAttribute('type') === 'chat' && body) {
      const from = message.getAttribute('from');
      connection.send($msg({ to: from, type: 'chat' }).c('body').t(body.textContent));
      log('echoed ' + body.textContent + ' to ' + from);
    }
    return true;
  }

  document.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (button.textContent === 'disconnect') return connection.disconnect();
    connection.connect(document.getElementById('jid').value, document.getElementById('pass').value, (status) => {
      log(names[status]);
      if (status === Strophe.Status.CONNECTED) {
        button.textContent = 'disconnect';
        connection.addHandler(echo, null, 'message');
        connection.send($pres());
      } else if (status === Strophe.Status.DISCONNECTED) {
        button.textContent = 'connect';
      }
    });
  });
</script>`;

/** Converse.js with its own face, logged in as soon as it is there. */
export const converse = (settings) => `<!doctype html>
<title>Converse.js</title>
<link rel="stylesheet" href="/modules/converse.js/dist/converse.min.css">
<body>
<script type="module">
  import converse from '/modules/converse.js/dist/converse.min.js';
  converse.plugins.add('test', {
    initialize() {
      const { api } = this._converse;
      window.api = api;
      api.listen.on('connected', () => (document.title = 'connected'));
      api.listen.on('reconnected', () => (document.title = 'reconnected'));
      api.listen.on('disconnected', () => (document.title = 'disconnected'));
    },
  });
  converse.initialize(${JSON.stringify({
    allow_non_roster_messaging: true,
    assets_path: '/modules/converse.js/dist/',
    authentication: 'login',
    auto_login: true,
    auto_subscribe: true,
    discover_connection_methods: false,
    i18n: 'en',
    loglevel: 'error',
    view_mode: 'fullscreen',
    blacklisted_plugins: ['converse-omemo'], // its WebAssembly is beside the page, wherever that is
    whitelisted_plugins: ['test'],
    ...settings,
  })});
</script>`;
