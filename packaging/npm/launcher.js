#!/usr/bin/env node
// Starts the program of this platform, which is a package of its own, and ends as it ends.
"use strict";

const { spawn } = require("node:child_process");
const { isatty } = require("node:tty");

const platform = `${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "clipia.exe" : "clipia";

function found() {
  try {
    return require.resolve(`@clipia-queue/${platform}/bin/${file}`);
  } catch {
    console.error(`error: the package \`@clipia-queue/${platform}\`, which has the program, is not installed`);
    console.error("hint: install without `--omit=optional`; `pip install clipia-queue` has the program for more platforms");
    process.exit(1);
  }
}

const child = spawn(found(), process.argv.slice(2), { stdio: "inherit", argv0: "clipia" });

// Ctrl-C and the end of a terminal reach both processes. A second SIGINT would end a server that drains.
const terminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (!terminal || signal === "SIGTERM") child.kill(signal);
  });
}

child.on("error", (error) => {
  console.error(`error: cannot start \`${child.spawnfile}\`: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
