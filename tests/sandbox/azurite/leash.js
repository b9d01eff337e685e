// Preloaded into the emulator: it ends with the process that started it, which holds the other end of standard input.
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
// Without this the open pipe would keep the emulator alive after SIGTERM closed its servers.
process.stdin.unref();
