// A reporter for node's test runner that writes one line for each test:
// its outcome, a tab, and where it stands. Suites are not tests.

import { relative } from 'node:path';

function outcome({ type, data }) {
  if (data.skip !== undefined || data.todo !== undefined) return 'skipped';
  return type === 'test:pass' ? 'passed' : 'failed';
}

export default async function* tally(events) {
  for await (const event of events) {
    const { type, data } = event;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const place = data.file ? relative(process.cwd(), data.file) : '';
    yield `${outcome(event)}\t${place}:${data.line ?? 0}:${data.column ?? 0} ${data.name.replaceAll('\n', ' ')}\n`;
  }
}
