import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Mochi, useClient, useConnection, useTopic } from './mochi.jsx';

function News({ topic }) {
  const client = useClient();
  const state = useConnection();
  const messages = useTopic(topic);
  const [problem, setProblem] = useState();

  async function publish(form) {
    try {
      await client.publish(topic, { text: form.get('text') });
      setProblem(undefined);
    } catch (error) {
      setProblem(error.message);
    }
  }

  return (
    <>
      <p role="status">{problem ?? state}</p>
      <ul>
        {messages.map(({ offset, data }) => (
          <li key={offset}>{data.text}</li>
        ))}
      </ul>
      <form action={publish}>
        <input name="text" aria-label="News" required />
        <button>Publish</button>
      </form>
    </>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <Mochi options={{ resume: 'news' }}>
      <News topic="news" />
    </Mochi>
  </StrictMode>,
);
