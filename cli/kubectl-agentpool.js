#!/usr/bin/env node
/** The plugin of kubectl: found by its name in PATH, `kubectl agentpool get pools` runs it. */
process.argv.splice(2, 0, 'kubectl');
await import('./agentpool.js');
