// Builds and runs a Go server that prints the address it listens on: the demo,
// unless told otherwise.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const startTimeout = 10_000;
const stopTimeout = 5_000;

let folder = null;
const builds = new Map();
const children = new Set();

// No server outlives the tests, however these end.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

// Builds a package of the module once and returns the program's path.
export function build(goPackage = './demo') {
  if (!builds.has(goPackage)) {
    folder ??= mkdtempSync(join(tmpdir(), 'mochibosh-'));
    const program = join(folder, `program${builds.size}`);
    const built = promisify(execFile)('go', ['build', '-o', program, goPackage], { cwd: root });
    builds.set(goPackage, built.then(() => program));
  }
  return builds.get(goPackage);
}

export class Server {
  #program;
  #command;
  #args;
  #child = null;

  // Everything it has printed so far, over all its runs.
  output = '';

  port = 0;

  // Builds the package and starts it on a free port.
  static async start({ goPackage = './demo', command = [], args = [] } = {}) {
    const server = new Server(await build(goPackage), args, command);
    await server.start();
    return server;
  }

  // The command is for programs that have several, such as serve.
  constructor(program, args, command = []) {
    this.#program = program;
    this.#command = command;
    this.#args = args;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // Starts it, again on the same port if it ran before, and waits until it
  // has printed its address.
  async start() {
    if (this.#child) throw new Error('the server runs already');
    const child = spawn(this.#program, [...this.#command, '--listen', `127.0.0.1:${this.port}`, ...this.#args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    children.add(child);
    child.on('exit', () => children.delete(child));
    try {
      this.port = await this.#address(child);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  // Resolves to the port in the first printed line that has an address.
  #address(child) {
    return new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`${what}; it printed:\n${this.output}`));
      const timer = setTimeout(fail, startTimeout, `the server printed no address in ${startTimeout} ms`);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        fail(`the server ended with ${signal ?? code} before it printed its address`);
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          this.output += `${line}\n`;
          const found = line.match(/(?:http:\/\/|address=)127\.0\.0\.1:(\d+)/);
          if (!found) return;
          clearTimeout(timer);
          resolve(Number(found[1]));
        });
      }
    });
  }

  // Asks it to end (SIGTERM) and waits until it has; it fails when the server
  // must be killed, and resolves to the exit code otherwise.
  async stop() {
    const child = this.#child;
    if (!child) return undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeout);
    await this.#end('SIGTERM');
    clearTimeout(timer);
    if (child.signalCode === 'SIGKILL') {
      throw new Error(`the server did not end within ${stopTimeout} ms; it printed:\n${this.output}`);
    }
    return child.exitCode;
  }

  // Ends it at once, as a crash would.
  async kill() {
    await this.#end('SIGKILL');
  }

  // Crashes it and starts it on the same port.
  async restart() {
    await this.kill();
    await this.start();
  }

  async #end(signal) {
    const child = this.#child;
    this.#child = null;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
