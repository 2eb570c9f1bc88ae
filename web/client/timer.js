/**
 * One job that waits for its time.
 *
 * @returns {(job?: () => void, ms?: number) => void} puts a job in place of the one before; none stops that
 */
export function makeTimer(env) {
  let timer;
  return (job, ms) => {
    env.clearTimeout(timer);
    timer = job && env.setTimeout(job, ms);
  };
}
