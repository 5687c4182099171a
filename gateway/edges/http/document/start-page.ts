/** The page at `/`: what this is and where to go on. No state, no script. */

const LINKS = [
  ['/docs', 'the HTTP interface, to read and to try'],
  ['/openapi.json', 'the same for programs (OpenAPI 3.1)'],
  ['/api/v1/agents', 'agents that can be called'],
  ['/api/v1/pools', 'pools, their manifests and status'],
  ['/api/v1/pool/stats', 'instances, queue, requests, connections'],
  ['/api/v1/pool/instances', 'live instances'],
  ['/api/v1/projects', 'projects and their tiers'],
  ['/api/v1/pool/health', 'health of the pools'],
  ['/metrics', 'metrics for Prometheus'],
] as const;

const CURL = `curl --json '{"tenant": "acme", "project": "website", "input": "hello"}' http://localhost:8080/api/v1/execute`;

export const START_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AgentPool</title>
<style>
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark; }
  code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
  pre { padding: 1rem; overflow-x: auto; border: 1px solid #8888; border-radius: 6px; }
  td { padding: 0.1rem 1.5rem 0.1rem 0; }
</style>
</head>
<body>
<h1>AgentPool</h1>
<p>This gateway serves pools of agents in three tiers: HOT (a process of its own), WARM (kept in memory), COLD (started for each use).</p>
<p>Run a task (with another port or a token where yours has one):</p>
<pre>${CURL.replaceAll('"', '&quot;')}</pre>
<table>
${LINKS.map(([path, what]) => `<tr><td><a href="${path}"><code>${path}</code></a></td><td>${what}</td></tr>`).join('\n')}
</table>
</body>
</html>
`;
