#!/usr/bin/env node
// The `syncline` command. It runs the compiled program; `npm run -s syncline -- ...` compiles first.
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) {
  const { run } = await import(program.href);
  await run(process.argv.slice(2));
} else {
  console.error('syncline is not built yet: use "npm run -s syncline -- <command>", or run "npm run build" first.');
  process.exitCode = 1;
}
