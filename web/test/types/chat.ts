// How an application uses the client, checked against mochi.d.ts and never run.
import { connect, MochiError, type Carrier, type Client, type Subscription } from '../../client/mochi.js';

interface Line {
  by: string;
  text: string;
}

const client: Client = connect({ bosh: false, carrier: 'auto', resume: 'chat', tabs: 'chat', token: async () => 'abc', queue: { messages: 10 } });
console.log(client.user?.length, client.leading);

const off = client.on('state', ({ state, carrier, reason }) => {
  const known: Carrier = carrier;
  console.log(state === 'open', known, reason?.length);
});
off();
client.on('session', ({ resumed, recovered, unconfirmed }) => console.log(resumed && recovered, unconfirmed.length));

const room: Subscription = client.subscribe<Line>('room/1', {
  history: 50,
  presence: { name: 'Ann' },
  async message({ offset, data }) {
    console.log(offset + 1, data.text.toUpperCase());
  },
  subscribed: ({ recovered, members }) => console.log(recovered, members?.map((m) => m.info)),
  error: (error) => console.log(error.code),
});

try {
  const { offset, duplicate } = await client.publish('room/1', { by: 'Ann', text: 'hello' }, { id: 'one' });
  console.log(offset.toFixed(), duplicate);
} catch (error) {
  if (error instanceof MochiError) console.log(error.code);
}

await client.use('longpoll');
room.unsubscribe();
client.close();

// @ts-expect-error: there is no such carrier
await client.use('pigeon');
// @ts-expect-error: a function is not JSON
await client.publish('room/1', () => {});
