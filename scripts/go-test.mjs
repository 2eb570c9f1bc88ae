#!/usr/bin/env node
// Runs "go test" with the given arguments and prints what it prints without
// -v. With TALLY set to a file name it appends one line for each top-level
// test: its outcome, a tab, its package and name; a package that fails without
// a failed test (it does not build, say) gets a line of its own. With NAMES set
// to a file name it appends such a line for each test, subtests too, with the
// value of its attribute "requirements", if it has one.

import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const outcomes = { pass: 'passed', fail: 'failed', skip: 'skipped' };

// Output of the tests that have not ended yet: package → test → lines.
const running = new Map();

// Requirements that tests name by attribute: "package test" → numbers.
const requirements = new Map();

// The packages with a failed test.
const blamed = new Set();

// Lines for the file NAMES.
const names = [];

function tally(outcome, name) {
  if (process.env.TALLY) appendFileSync(process.env.TALLY, `${outcome}\t${name}\n`);
}

function testsOf(name) {
  if (!running.has(name)) running.set(name, new Map());
  return running.get(name);
}

function print(text) {
  // The notices of -json mode that plain "go test" does not print.
  if (!/^(=== (RUN|PAUSE|CONT|NAME|ATTR|ARTIFACTS)\b|PASS\n$)/.test(text)) process.stdout.write(text);
}

function endTest({ Package, Test, Action }) {
  const tests = testsOf(Package);
  const lines = tests.get(Test) ?? [];
  tests.delete(Test);
  if (Action === 'fail') {
    lines.forEach(print);
    blamed.add(Package);
  }
  const name = `${Package} ${Test}`;
  if (!Test.includes('/')) tally(outcomes[Action], name);
  names.push(`${outcomes[Action]}\t${name} ${requirements.get(name) ?? ''}\n`);
}

// A test still running when its package fails was cut short: it failed.
function endPackage({ Package, Action }) {
  if (Action === 'fail') {
    for (const Test of [...testsOf(Package).keys()]) endTest({ Package, Test, Action });
    if (!blamed.has(Package)) tally('failed', Package);
  }
  running.delete(Package);
}

function handle(event) {
  const { Action, Package, Test, Output, Key, Value } = event;
  if (Action === 'run') testsOf(Package).set(Test, []);
  else if (Action === 'output' && Test && testsOf(Package).has(Test)) testsOf(Package).get(Test).push(Output);
  else if (Action === 'attr' && Key === 'requirements') requirements.set(`${Package} ${Test}`, Value);
  else if (Action === 'output' || Action === 'build-output') print(Output);
  else if (Action in outcomes && Test) endTest(event);
  else if (Action in outcomes) endPackage(event);
}

const go = spawn('go', ['test', '-json', ...process.argv.slice(2)], { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => go.on('close', (code) => resolve(code ?? 1)));
for await (const line of createInterface({ input: go.stdout })) {
  if (line.startsWith('{')) handle(JSON.parse(line));
  else console.log(line);
}
if (process.env.NAMES) appendFileSync(process.env.NAMES, names.join(''));
process.exitCode = await ended;
