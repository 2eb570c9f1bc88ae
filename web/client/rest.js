/** Pauses that can be ended early, all at once. */
export function makeRests(env) {
  const ends = new Set();
  return {
    take: (ms) =>
      new Promise((resolve) => {
        const end = () => {
          env.clearTimeout(timer);
          ends.delete(end);
          resolve();
        };
        const timer = env.setTimeout(end, ms);
        ends.add(end);
      }),
    end: () => ends.forEach((end) => end()),
  };
}
