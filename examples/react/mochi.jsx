// Topics as React has its data: hooks, over one client for the whole application.

import { connect } from '@mochibosh/client';
import { createContext, useContext, useEffect, useState, useSyncExternalStore } from 'react';

const ClientContext = createContext(null);

/** The client of the components below. It is connected as long as this one is on the page. */
export function Mochi({ options, children }) {
  const [client, setClient] = useState(null);
  useEffect(() => {
    const client = connect(options);
    setClient(client);
    return () => client.close();
  }, []);
  return client && <ClientContext value={client}>{children}</ClientContext>;
}

export const useClient = () => useContext(ClientContext);

/** The client's state: connecting, open, reconnecting or closed. */
export function useConnection() {
  const client = useClient();
  return useSyncExternalStore(
    (changed) => client.on('state', changed),
    () => client.state,
  );
}

/** The last messages of a topic, at most so many. */
export function useTopic(topic, { history = 20, most = 100 } = {}) {
  const client = useClient();
  const [messages, setMessages] = useState([]);
  useEffect(() => {
    setMessages([]);
    const message = (one) => setMessages((before) => [...before, one].slice(-most));
    const { unsubscribe } = client.subscribe(topic, { history, message });
    return unsubscribe;
  }, [client, topic, history, most]);
  return messages;
}
